"""Attempts: after kills, second runs and full disks the volume holds one complete version."""

import errno
import fcntl
import json
import os
import signal
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from sodai.errors import ContractError, VolumeError
from sodai.volume.volume import Volume
from support.small_stage import AS_OF, FOLDER, NOTES, ORDERS, PAGE, leftovers, orders, publish, start
from support.week import files_of


def test_the_folder_of_a_stage_is_committed_after_its_pages(volume: Volume) -> None:
    volume.path(ORDERS, AS_OF).unlink()
    volume.path(NOTES, AS_OF).unlink()
    (volume.root / FOLDER).rmdir()
    (volume.root / FOLDER).write_text("a file where the folder should be")

    with pytest.raises(NotADirectoryError, match=FOLDER):
        publish(volume, 2)
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert leftovers(volume) == []


def test_a_reader_always_finds_one_complete_version(volume: Volume) -> None:
    commit_two_files(volume, 0)
    reader = start(
        """
seen, missing, mixed = set(), 0, []
print("reading", flush=True)
while "119" not in seen:
    try:
        folder = os.open(volume.root / FOLDER, os.O_RDONLY)
    except FileNotFoundError:
        missing += 1
        continue
    versions = set()
    for name in ("first", "second"):
        try:
            with open(os.open(name, os.O_RDONLY, dir_fd=folder)) as file:
                versions.add(file.read())
        except FileNotFoundError:
            pass  # the folder was replaced since it was opened, and removed
    os.close(folder)
    seen |= versions
    mixed += [sorted(versions)] if len(versions) > 1 else []
print(json.dumps([len(seen), missing, mixed]))
""",
        volume.root,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"
    for version in range(1, 120):
        commit_two_files(volume, version)
    output, log = reader.communicate()

    assert reader.returncode == 0, log
    n_seen, missing, mixed = json.loads(output)
    assert (missing, mixed) == (0, [])
    assert n_seen > 1


def commit_two_files(volume: Volume, version: int) -> None:
    with volume.attempt("example", AS_OF) as attempt:
        for name in ("first", "second"):
            attempt.path(NOTES).with_name(name).write_text(str(version))


def test_a_system_that_cannot_exchange_folders_commits_too(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot_exchange(monkeypatch)
    publish(volume, 2)
    assert volume.read(ORDERS, AS_OF)["n_units"].to_pylist() == [2.0]
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []
    assert [path.name for path in (volume.root / FOLDER).parent.iterdir()] == ["example"]


def cannot_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sodai.volume.attempt.ctypes.CDLL", lambda *_, **__: object())


def test_without_exchange_a_failed_rename_leaves_the_old_version(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot_exchange(monkeypatch)
    before, rename = files_of(volume.root), os.rename

    def fail_for_the_new(source: Path, target: Path) -> None:
        if ".attempts" in Path(source).parts:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    with monkeypatch.context() as failing:
        failing.setattr("sodai.volume.attempt.os.rename", fail_for_the_new)
        with (
            pytest.raises(OSError, match="Input/output error"),
            volume.attempt("example", AS_OF) as attempt,
        ):
            attempt.write_json(NOTES, {"version": 2})
    assert files_of(volume.root) == before
    assert leftovers(volume) == []


@pytest.mark.parametrize(("n_renames", "left"), [(1, 1), (2, 2)], ids=["between the renames", "after both"])
def test_without_exchange_the_attempt_after_a_kill_finds_one_complete_version(
    volume: Volume, n_renames: int, left: int
) -> None:
    before = files_of(volume.root)
    process = start(
        f"""
import signal
import sodai.volume.attempt
sodai.volume.attempt.ctypes.CDLL = lambda *_, **__: object()
rename, targets = os.rename, []

def rename_and_die(source, target):
    rename(source, target)
    targets.append(target)
    if len(targets) == {n_renames}:
        os.kill(os.getpid(), signal.SIGKILL)

os.rename = rename_and_die
with volume.attempt("example", AS_OF) as attempt:
    attempt.write(ORDERS, orders(2.0))
    attempt.write_json(NOTES, {{"version": 2}})
""",
        volume.root,
    )
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    (replaced,) = (volume.root / FOLDER).parent.glob(".*")
    assert volume.exists(NOTES, AS_OF) == (left == 2)

    with (
        pytest.raises(ContractError, match=r"n_units has the value -1\.0"),
        volume.attempt("example", AS_OF) as attempt,
    ):
        attempt.write_batches(ORDERS, orders(-1.0).to_batches())
    assert volume.read_json(NOTES, AS_OF) == {"version": left}
    assert not replaced.exists()
    if left == 1:
        assert files_of(volume.root) == before
    assert leftovers(volume) == []


def test_a_kill_in_the_middle_leaves_the_old_version_and_the_next_attempt_cleans_up(volume: Volume) -> None:
    before = files_of(volume.root)
    process = start(
        """
def batches():
    yield from orders(8.0, 9.0).to_batches()
    print("in the middle", flush=True)
    time.sleep(600)

with volume.attempt("example", AS_OF) as attempt:
    attempt.write_text(PAGE, "version 9")
    attempt.write_batches(ORDERS, batches())
""",
        volume.root,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    process.kill()
    process.communicate()

    remains = leftovers(volume)
    assert any(name.endswith("orders.parquet") for name in remains)
    assert {name: content for name, content in files_of(volume.root).items() if name in before} == before
    assert volume.read(ORDERS, AS_OF)["n_units"].to_pylist() == [1.0]

    private = {name for name in remains if name.startswith(f".attempts/example-{AS_OF}/")}
    with volume.attempt("example", AS_OF) as attempt:
        assert not set(leftovers(volume)) & private
        attempt.write_json(NOTES, {"version": 2})
    assert leftovers(volume) == []
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}


def test_a_second_attempt_fails_in_one_line_and_the_first_commits(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.volume._PATIENCE_SECONDS", 0.0)
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_text(PAGE, "version 2")
        with pytest.raises(
            VolumeError,
            match=r"volume: another run of example for 2024-01-08 is under way; wait for it, or stop it",
        ):
            publish(volume, 3)
        attempt.write_json(NOTES, {"version": 2})
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []


def test_an_attempt_waits_for_the_one_before(volume: Volume) -> None:
    started = threading.Event()

    def first() -> None:
        with volume.attempt("example", AS_OF) as attempt:
            started.set()
            time.sleep(0.3)
            attempt.write_json(NOTES, {"version": 2})

    thread = threading.Thread(target=first)
    thread.start()
    started.wait()
    publish(volume, 3)
    thread.join()
    assert volume.read_json(NOTES, AS_OF) == {"version": 3}


def test_attempts_of_other_stages_and_periods_run_at_the_same_time(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.volume._PATIENCE_SECONDS", 0.0)
    with (
        volume.attempt("example", AS_OF) as attempt,
        volume.attempt("example", date(2024, 1, 15)) as next_week,
        volume.attempt("example-0-of-2", AS_OF) as shard,
    ):
        for number, each in enumerate((attempt, next_week, shard)):
            each.write_text(PAGE, f"version {number}")
    assert volume.path(PAGE, date(2024, 1, 15)).read_text() == "version 1"
    assert leftovers(volume) == []


def test_without_locks_each_attempt_removes_only_its_own_files(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_text(PAGE, "version 2")
        publish(volume, 3)
        attempt.write_json(NOTES, {"version": 2})
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []


def test_a_read_only_volume_is_reported_in_one_line_and_stays_unchanged(volume: Volume) -> None:
    before = files_of(volume.root)
    error, after = _failure(volume, 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"')

    assert "cannot be written (Read-only file system); give the volume space and this user" in error
    assert str(volume.root / ".attempts/example-2024-01-08") in error
    assert after == sorted(before)
    assert files_of(volume.root) == before


def test_a_full_volume_is_reported_in_one_line_and_keeps_its_outputs(volume: Volume) -> None:
    error, after = _failure(volume, 'mount -t tmpfs -o size=1m none "$1"', first="publish(volume, 1)")

    assert "cannot be written (No space left on device); give the volume space" in error
    assert after == sorted(files_of(volume.root))


def _failure(volume: Volume, mount: str, first: str = "") -> tuple[str, list[str]]:
    """Return the error of an attempt that writes 4 MB to a new mount, and the files that it leaves there."""
    process = start(
        f"""
{first}
numbers = [int.from_bytes(os.urandom(6)) for _ in range(500_000)]
try:
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_text(PAGE, "version 9")
        attempt.write_json(NOTES, {{"version": 9}})
        attempt.write(ORDERS, orders(*numbers))
except VolumeError as error:
    assert volume.read_json(NOTES, AS_OF) == {{"version": 1}}
    print(json.dumps([str(error), files_in(volume.root)]))
""",
        volume.root,
        *("unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && shift && exec "$@"'),
        *("sh", str(volume.root)),
    )
    output, log = process.communicate()
    assert process.returncode == 0, log
    message, files = json.loads(output)
    assert "\n" not in message
    return message, files
