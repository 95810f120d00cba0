"""Two loads of one warehouse: the second waits, and a system without locks stops neither."""

import errno
import fcntl
import os
import threading
import time

import pytest

from sodai.volume.volume import Volume

from .volumes import add_drop, extract, lines, loaded

DROP = lines((2, 3, 20, "2024-03-11", 2))


def test_a_load_waits_for_the_one_that_is_under_way(volume: Volume) -> None:
    add_drop(volume, "transacciones_2.parquet", DROP)
    begun = threading.Event()

    def first() -> None:
        with volume.lock("warehouse", "busy"):
            begun.set()
            time.sleep(0.5)

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait()
    outcome = extract(volume)
    thread.join()
    assert outcome.code == 0, outcome.log
    assert f"{volume.root / 'warehouse'}: another run is loading it; waiting for it to end" in outcome.log


def test_a_system_without_locks_stops_no_load(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    add_drop(volume, "transacciones_2.parquet", DROP)
    monkeypatch.setattr(fcntl, "flock", refuse)
    loaded(volume)
