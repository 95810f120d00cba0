"""Files that appear whole or not at all: written under a private name, then renamed."""

import glob
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def private_path(file: Path) -> Path:
    """A hidden path beside `file` that nobody else gets, on any host: in containers all process ids are 1."""
    return file.with_name(f".{uuid.uuid4().hex}-{file.name}")


def leftover_paths(file: Path) -> list[Path]:
    """What lies under private names of `file`, left by processes that were killed or still in use."""
    return sorted(file.parent.glob(f".{'[0-9a-f]' * 32}-{glob.escape(file.name)}"))


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """A private path whose file takes the place of `file` if the block ends well, and goes otherwise."""
    private = private_path(file)
    try:
        yield private
        os.replace(private, file)
    finally:
        private.unlink(missing_ok=True)
