"""Two loads of one warehouse: the second waits; a file system without locks stops neither."""

import errno
import fcntl
import os
import threading
import time

import pytest

from sodai.volume.volume import Volume

from .volumes import add_drop, extract, lines, load

DROP = lines((2, 3, 20, "2024-03-11", 2))


def test_a_load_waits_for_the_end_of_another(volume: Volume) -> None:
    add_drop(volume, "transacciones_2.parquet", DROP)
    started = threading.Event()

    def first() -> None:
        with volume.lock("warehouse", "busy"):
            started.set()
            time.sleep(0.5)

    thread = threading.Thread(target=first)
    thread.start()
    started.wait()
    outcome = extract(volume)
    thread.join()
    assert outcome.code == 0, outcome.log
    assert f"{volume.root / 'warehouse'}: another run is loading it; waiting for it to end" in outcome.log


def test_a_file_system_without_locks_stops_no_load(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    add_drop(volume, "transacciones_2.parquet", DROP)
    monkeypatch.setattr(fcntl, "flock", refuse)
    load(volume)
