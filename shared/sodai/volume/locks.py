"""One process at a time: a lock file that the kernel takes back from whoever dies, in a container or not."""

import fcntl
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sodai.errors import VolumeError

log = logging.getLogger("sodai")

_PAUSE_SECONDS = 0.1
# Whoever ends takes the file along. Where a file is another one so many times in a row, its system tells no
# two files apart.
_MOST_STRAYS = 50


@contextmanager
def exclusive_lock(file: Path, busy: str, patience: float = math.inf) -> Iterator[bool]:
    """Hold a lock for the block, waiting for another process that holds it.

    All containers of a machine that mount the folder share it. Where it cannot be taken at all, as on some
    network file systems, the block runs without it: it yields whether it is held.

    Args:
        file: of the lock, in a folder that is there; it goes with the block.
        busy: what to say where another process holds it.
        patience: seconds to wait for that one.

    Raises:
        VolumeError: it was not free in time.
    """
    lock = _taken(file, busy, patience)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            # Still held: whoever opened the file before sees that it is no longer the one of that name.
            with suppress(OSError):
                file.unlink()
            os.close(lock)


def _taken(file: Path, busy: str, patience: float) -> int | None:
    """A descriptor that holds the lock; None where there are no locks."""
    end, told, strays = time.monotonic() + patience, False, 0
    while strays < _MOST_STRAYS:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # what is written next tells why
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                log.warning("%s: cannot be locked (%s); start no second run meanwhile", file, error.strerror)
                with suppress(OSError):
                    file.unlink()
                return None
            if time.monotonic() >= end:
                raise VolumeError(f"{busy}; wait for it, or stop it") from None
            if not told:
                log.info("%s; waiting for it to end", busy)
            told = True
            time.sleep(_PAUSE_SECONDS)
            continue
        if _is(descriptor, file):
            return descriptor
        os.close(descriptor)
        strays += 1
    return None


def _is(descriptor: int, file: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), file.stat())
    return False
