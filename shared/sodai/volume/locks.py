"""Locks between processes, in containers or not; the kernel releases the lock of a process that dies."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sodai.errors import VolumeError

log = logging.getLogger("sodai")

_PAUSE_SECONDS = 0.1


@contextmanager
def exclusive_lock(file: Path, busy: str, patience: float = math.inf) -> Iterator[bool]:
    """Hold a lock for the block, waiting for another process that holds it; yield whether it is held.

    All containers of a machine that mount the folder share the lock. Where it cannot be taken at all, as on
    some network file systems, the block runs without it.

    Args:
        file: the lock file, in an existing folder; it is removed at the end of the block.
        busy: says that another process holds the lock, for the log and the error.
        patience: seconds to wait for that process.

    Raises:
        VolumeError: the lock was not free in time.
    """
    # The fallback is a file that a killed process would leave locked.
    lock = FileLock(file, poll_interval=_PAUSE_SECONDS, fallback_to_soft=False)
    held = _acquire(lock, file, busy, patience)
    try:
        yield held
    finally:
        if held:
            # Before the release: a process that has the file open notices and opens a new one.
            with suppress(OSError):
                file.unlink()
            lock.release()


def _acquire(lock: FileLock, file: Path, busy: str, patience: float) -> bool:
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if patience > 0:
                log.info("%s; waiting for it to end", busy)
            lock.acquire(timeout=patience)
    except Timeout:
        raise VolumeError(f"{busy}; wait for it, or stop it") from None
    except OSError as error:
        # Opening the file, whose errors name it, fails for a reason that stops the next write too.
        if error.filename is None:
            log.warning("%s: cannot be locked (%s); do not start a second run", file, error.strerror)
            with suppress(OSError):
                file.unlink()
        return False
    return True
