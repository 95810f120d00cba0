"""Files that are replaced as a whole or not at all: written under a private name, then renamed."""

import errno
import glob
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sodai.errors import VolumeError

_FULL_OR_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}


def private_path(file: Path) -> Path:
    """Return a hidden path in the folder of `file` that no other process of any host gets."""
    # Not by process id, which is 1 in every container.
    return file.with_name(f".{uuid.uuid4().hex}-{file.name}")


def leftover_paths(file: Path) -> list[Path]:
    """Return the private paths of `file` that exist: in use, or left by processes that were killed."""
    return sorted(file.parent.glob(f".{'[0-9a-f]' * 32}-{glob.escape(file.name)}"))


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield a private path for the block to write; rename it to `file` at the end, remove it on an error."""
    private = private_path(file)
    try:
        yield private
        os.replace(private, file)
    finally:
        private.unlink(missing_ok=True)


@contextmanager
def explain_write_errors(
    where: Path, remedy: str = "give the volume space and this user the right to write"
) -> Iterator[None]:
    """Turn the errors of a full or read-only volume into one line.

    Args:
        where: what the block writes, for system errors that name no file.
        remedy: what to do.

    Raises:
        VolumeError: with the path and the reason of the system.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL_OR_FORBIDDEN:
            raise
        raise VolumeError(
            f"{error.filename or where}: cannot be written ({os.strerror(error.errno)}); {remedy}, then run "
            "it again"
        ) from error
