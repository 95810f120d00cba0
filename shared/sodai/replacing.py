"""Files that appear whole or not at all: written under a private name, then renamed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def private_beside(file: Path) -> Path:
    """A hidden path beside `file` that nobody else gets, on any host: in containers all process ids are 1."""
    return file.with_name(f".{uuid.uuid4().hex}-{file.name}")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A private path whose file takes the place of `file` if the block ends well, and goes otherwise."""
    private = private_beside(file)
    try:
        yield private
        os.replace(private, file)
    finally:
        private.unlink(missing_ok=True)
