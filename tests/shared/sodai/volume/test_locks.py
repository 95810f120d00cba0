"""Exclusive locks: one holder at a time, no file left, and runs without a lock where there are none."""

import errno
import fcntl
import logging
import os
import threading
import time
from pathlib import Path

import pytest

from sodai.errors import VolumeError
from sodai.volume.locks import exclusive_lock
from support.small_stage import start

BUSY = "the volume is in use"


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_lock_has_one_holder_and_its_file_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "one.lock"
    with exclusive_lock(file, BUSY) as held:
        assert held
        assert files_in(tmp_path) == ["one.lock"]
        with (
            pytest.raises(VolumeError, match=f"^{BUSY}; wait for it, or stop it$"),
            exclusive_lock(file, BUSY, 0),
        ):
            pass
    assert files_in(tmp_path) == []


def test_another_name_is_another_lock(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "one.lock", BUSY), exclusive_lock(tmp_path / "two.lock", BUSY, 0) as held:
        assert held


def test_a_waiting_process_logs_once_and_continues(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, held, order = tmp_path / "one.lock", threading.Event(), []

    def first() -> None:
        with exclusive_lock(file, BUSY):
            held.set()
            time.sleep(0.5)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with caplog.at_level(logging.INFO, "sodai"), exclusive_lock(file, BUSY):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert caplog.messages == [f"{BUSY}; waiting for it to end"]


def test_an_error_in_the_block_releases_the_lock(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError, match="in the middle"),
        exclusive_lock(tmp_path / "one.lock", BUSY),
    ):
        raise ZeroDivisionError("in the middle")
    assert files_in(tmp_path) == []


def test_many_threads_hold_the_lock_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sodai.volume.locks._PAUSE_SECONDS", 0.0005)
    n_inside, most_inside = [0], [0]

    def hold_repeatedly() -> None:
        for _ in range(30):
            with exclusive_lock(tmp_path / "one.lock", BUSY) as held:
                assert held
                n_inside[0] += 1
                most_inside[0] = max(most_inside[0], n_inside[0])
                time.sleep(0.0002)
                n_inside[0] -= 1

    threads = [threading.Thread(target=hold_repeatedly) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_inside == [1]
    assert files_in(tmp_path) == []


def test_the_kernel_releases_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    holder = start(
        """
from sodai.volume.locks import exclusive_lock
with exclusive_lock(volume.root / "one.lock", ""):
    print("held", flush=True)
    time.sleep(600)
""",
        tmp_path,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(VolumeError, match=BUSY), exclusive_lock(tmp_path / "one.lock", BUSY, 0):
        pass
    holder.kill()
    holder.communicate()
    assert files_in(tmp_path) == ["one.lock"]
    with exclusive_lock(tmp_path / "one.lock", BUSY, 0) as held:
        assert held
    assert files_in(tmp_path) == []


def test_a_run_goes_on_where_the_system_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    file = tmp_path / "one.lock"
    with exclusive_lock(file, BUSY) as held, exclusive_lock(file, BUSY, 0) as other:
        assert (held, other) == (False, False)
    assert files_in(tmp_path) == []
    warning = f"{file}: cannot be locked (No locks available); do not start a second run"
    assert caplog.messages == [warning, warning]


def test_a_run_goes_on_where_the_system_changes_the_identity_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with exclusive_lock(tmp_path / "one.lock", BUSY) as held:
        assert held


def test_a_folder_that_cannot_be_written_is_left_to_the_next_write(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with exclusive_lock(tmp_path / "file" / "one.lock", BUSY) as held:
        assert not held
    assert caplog.messages == []
