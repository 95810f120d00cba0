"""Where a stage works: the folder that is the volume, or a private copy of what it needs of a bucket."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sodai.volume.file_hashes import FileHashes, FileIndex

_URL = re.compile(r"s3:/+")


class VolumeBackend(Protocol):
    """The folder that a stage reads and writes, and how that meets what is published."""

    root: Path

    @property
    def published(self) -> FileIndex:
        """What is published."""

    @property
    def local(self) -> FileIndex:
        """What lies in the folder after a run."""

    def fetch(self, paths: Iterable[Path], lasting: Collection[str]) -> None:
        """Put the files and folders that a stage reads below `root`; those that are not there are left out.

        Args:
            paths: below `root`.
            lasting: those of them, as names, that the stage changes rather than makes anew.
        """

    def push(self, units: Collection[str]) -> None:
        """Replace files and folders of the volume, by name, by what lies there now, all at once."""

    def push_file(self, file: Path, text: str) -> None:
        """Write and publish a small file beside what is published; a volume that refuses goes without."""


class LocalBackend:
    """A volume that is a folder of this machine: what is written there is published."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.published = self.local = FileHashes(self.root)

    def fetch(self, paths: Iterable[Path], lasting: Collection[str]) -> None:
        """Nothing: it is all there."""

    def push(self, units: Collection[str]) -> None:
        """Nothing: each data set was published by itself."""

    def push_file(self, file: Path, text: str) -> None:
        """Write the file."""
        with suppress(OSError):
            file.write_text(text, encoding="utf-8")


@contextmanager
def open_backend(data: Path) -> Iterator[VolumeBackend]:
    """The place to work on the volume `data`, a folder or `s3://bucket/prefix`.

    Raises:
        VolumeError: the object store does not answer as it should.
    """
    if not is_url(data):
        yield LocalBackend(data)
        return
    from sodai.object_store.checkout import open_checkout

    with open_checkout(url_of(data)) as copy:
        yield copy


def is_url(data: Path) -> bool:
    """Whether a volume is named by URL."""
    return _URL.match(str(data)) is not None


def url_of(data: Path) -> str:
    """The URL that was given as a path, which drops one of its slashes."""
    return _URL.sub("s3://", str(data), count=1)
