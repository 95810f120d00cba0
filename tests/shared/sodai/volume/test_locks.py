"""A lock: one holder at a time, nothing left of it, and none that stops a run where there are no locks."""

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

BUSY = "the made thing is in use"


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_who_holds_it_is_alone_and_takes_the_file_along(tmp_path: Path) -> None:
    file = tmp_path / "made.lock"
    with exclusive_lock(file, BUSY) as held:
        assert held
        assert files_in(tmp_path) == ["made.lock"]
        with (
            pytest.raises(VolumeError, match=f"^{BUSY}; wait for it, or stop it$"),
            exclusive_lock(file, BUSY, 0),
        ):
            pass
    assert files_in(tmp_path) == []


def test_another_name_is_another_lock(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "one.lock", BUSY), exclusive_lock(tmp_path / "two.lock", BUSY, 0) as held:
        assert held


def test_who_waits_says_so_once_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, held, order = tmp_path / "made.lock", threading.Event(), []

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


def test_an_error_in_the_block_frees_it(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError, match="in the middle"),
        exclusive_lock(tmp_path / "made.lock", BUSY),
    ):
        raise ZeroDivisionError("in the middle")
    assert files_in(tmp_path) == []


def test_of_many_who_come_and_go_there_is_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.locks._PAUSE_SECONDS", 0.0005)
    inside, most = [0], [0]

    def come_and_go() -> None:
        for _ in range(30):
            with exclusive_lock(tmp_path / "made.lock", BUSY) as held:
                assert held
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0002)
                inside[0] -= 1

    threads = [threading.Thread(target=come_and_go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert files_in(tmp_path) == []


def test_the_kernel_takes_it_back_from_a_process_that_was_killed(tmp_path: Path) -> None:
    holder = start(
        """
from sodai.volume.locks import exclusive_lock
with exclusive_lock(volume.root / "made.lock", ""):
    print("held", flush=True)
    time.sleep(600)
""",
        tmp_path,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(VolumeError, match=BUSY), exclusive_lock(tmp_path / "made.lock", BUSY, 0):
        pass
    holder.kill()
    holder.communicate()
    assert files_in(tmp_path) == ["made.lock"]
    with exclusive_lock(tmp_path / "made.lock", BUSY, 0) as held:
        assert held
    assert files_in(tmp_path) == []


def test_a_system_without_locks_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    file = tmp_path / "made.lock"
    with exclusive_lock(file, BUSY) as held, exclusive_lock(file, BUSY, 0) as other:
        assert (held, other) == (False, False)
    assert files_in(tmp_path) == []
    told = f"{file}: cannot be locked (No locks available); start no second run meanwhile"
    assert caplog.messages == [told, told]


def test_a_system_that_tells_no_two_files_apart_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with exclusive_lock(tmp_path / "made.lock", BUSY) as held:
        assert not held


def test_a_folder_that_cannot_be_written_to_is_no_matter_of_the_lock(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "not there" / "made.lock", BUSY) as held:
        assert not held
