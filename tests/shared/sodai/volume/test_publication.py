"""Publication on the volume: readers, kills, second runs and full disks find one whole version."""

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


def test_the_folder_of_a_stage_is_published_after_its_pages(volume: Volume) -> None:
    volume.path(ORDERS, AS_OF).unlink()
    volume.path(NOTES, AS_OF).unlink()
    (volume.root / FOLDER).rmdir()
    (volume.root / FOLDER).write_text("a file where the folder should be")

    with pytest.raises(NotADirectoryError, match=FOLDER):
        publish(volume, 2)
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert leftovers(volume) == []


def test_a_reader_always_finds_one_whole_version(volume: Volume) -> None:
    publish_two_files(volume, 0)
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
        publish_two_files(volume, version)
    output, log = reader.communicate()

    assert reader.returncode == 0, log
    n_seen, missing, mixed = json.loads(output)
    assert (missing, mixed) == (0, [])
    assert n_seen > 1


def publish_two_files(volume: Volume, version: int) -> None:
    with volume.attempt("made", AS_OF) as attempt:
        for name in ("first", "second"):
            attempt.path(NOTES).with_name(name).write_text(str(version))


def test_a_system_that_cannot_exchange_folders_publishes_too(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot_exchange(monkeypatch)
    publish(volume, 2)
    assert volume.read(ORDERS, AS_OF)["n_units"].to_pylist() == [2.0]
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []
    assert [path.name for path in (volume.root / FOLDER).parent.iterdir()] == ["made"]


def cannot_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sodai.volume.attempt.ctypes.CDLL", lambda *_, **__: object())


def test_where_folders_cannot_be_exchanged_a_rename_that_fails_leaves_the_old_version(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot_exchange(monkeypatch)
    before, rename = files_of(volume.root), os.rename

    def without_the_new(source: Path, target: Path) -> None:
        if ".attempts" in Path(source).parts:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    with monkeypatch.context() as failing:
        failing.setattr("sodai.volume.attempt.os.rename", without_the_new)
        with (
            pytest.raises(OSError, match="Input/output error"),
            volume.attempt("made", AS_OF) as attempt,
        ):
            attempt.write_json(NOTES, {"version": 2})
    assert files_of(volume.root) == before
    assert leftovers(volume) == []


@pytest.mark.parametrize(("n_renames", "left"), [(1, 1), (2, 2)], ids=["between the renames", "after both"])
def test_where_folders_cannot_be_exchanged_the_next_try_after_a_kill_finds_one_whole_version(
    volume: Volume, n_renames: int, left: int
) -> None:
    before = files_of(volume.root)
    process = start(
        f"""
import signal
import sodai.volume.attempt
sodai.volume.attempt.ctypes.CDLL = lambda *_, **__: object()
rename, done = os.rename, []

def killed(source, target):
    rename(source, target)
    done.append(target)
    if len(done) == {n_renames}:
        os.kill(os.getpid(), signal.SIGKILL)

os.rename = killed
with volume.attempt("made", AS_OF) as attempt:
    attempt.write(ORDERS, orders(2.0))
    attempt.write_json(NOTES, {{"version": 2}})
""",
        volume.root,
    )
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    (aside,) = (volume.root / FOLDER).parent.glob(".*")
    assert volume.exists(NOTES, AS_OF) == (left == 2)

    with (
        pytest.raises(ContractError, match=r"n_units has the value -1\.0"),
        volume.attempt("made", AS_OF) as attempt,
    ):
        attempt.write_batches(ORDERS, orders(-1.0).to_batches())
    assert volume.read_json(NOTES, AS_OF) == {"version": left}
    assert not aside.exists()
    if left == 1:
        assert files_of(volume.root) == before
    assert leftovers(volume) == []


def test_a_kill_in_the_middle_leaves_the_old_version_and_the_next_try_cleans_up(volume: Volume) -> None:
    before = files_of(volume.root)
    process = start(
        """
def batches():
    yield from orders(8.0, 9.0).to_batches()
    print("in the middle", flush=True)
    time.sleep(600)

with volume.attempt("made", AS_OF) as attempt:
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

    private = {name for name in remains if name.startswith(f".attempts/made-{AS_OF}/")}
    with volume.attempt("made", AS_OF) as attempt:
        assert not set(leftovers(volume)) & private
        attempt.write_json(NOTES, {"version": 2})
    assert leftovers(volume) == []
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}


def test_a_second_try_ends_with_one_line_and_the_first_publishes(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.volume._PATIENCE_SECONDS", 0.0)
    with volume.attempt("made", AS_OF) as attempt:
        attempt.write_text(PAGE, "version 2")
        with pytest.raises(
            VolumeError,
            match=r"volume: another run of made for 2024-01-08 is under way; wait for it, or stop it",
        ):
            publish(volume, 3)
        attempt.write_json(NOTES, {"version": 2})
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []


def test_a_try_begins_once_the_one_before_has_ended(volume: Volume) -> None:
    begun = threading.Event()

    def first() -> None:
        with volume.attempt("made", AS_OF) as attempt:
            begun.set()
            time.sleep(0.3)
            attempt.write_json(NOTES, {"version": 2})

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait()
    publish(volume, 3)
    thread.join()
    assert volume.read_json(NOTES, AS_OF) == {"version": 3}


def test_tries_of_other_stages_and_periods_are_under_way_beside_it(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.volume._PATIENCE_SECONDS", 0.0)
    with (
        volume.attempt("made", AS_OF) as attempt,
        volume.attempt("made", date(2024, 1, 15)) as next_week,
        volume.attempt("made-0-of-2", AS_OF) as shard,
    ):
        for number, each in enumerate((attempt, next_week, shard)):
            each.write_text(PAGE, f"version {number}")
    assert volume.path(PAGE, date(2024, 1, 15)).read_text() == "version 1"
    assert leftovers(volume) == []


def test_where_there_are_no_locks_each_try_removes_its_own_files_alone(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with volume.attempt("made", AS_OF) as attempt:
        attempt.write_text(PAGE, "version 2")
        publish(volume, 3)
        attempt.write_json(NOTES, {"version": 2})
    assert volume.path(PAGE, AS_OF).read_text() == "version 2"
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert leftovers(volume) == []


def test_a_read_only_volume_is_one_line_and_stays_as_it_was(volume: Volume) -> None:
    before = files_of(volume.root)
    error, after = _failure(volume, 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"')

    assert "cannot be written (Read-only file system); give the volume space and this user" in error
    assert str(volume.root / ".attempts/made-2024-01-08") in error
    assert after == sorted(before)
    assert files_of(volume.root) == before


def test_a_full_volume_is_one_line_and_keeps_what_was_published(volume: Volume) -> None:
    error, after = _failure(volume, 'mount -t tmpfs -o size=1m none "$1"', first="publish(volume, 1)")

    assert "cannot be written (No space left on device); give the volume space" in error
    assert after == sorted(files_of(volume.root))


def _failure(volume: Volume, mount: str, first: str = "") -> tuple[str, list[str]]:
    """How a try that writes 4 MB fails behind a mount of its own, and the files that it leaves there."""
    process = start(
        f"""
{first}
numbers = [int.from_bytes(os.urandom(6)) for _ in range(500_000)]
try:
    with volume.attempt("made", AS_OF) as attempt:
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
