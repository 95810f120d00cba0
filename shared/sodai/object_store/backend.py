"""Where a stage works: the folder that is the volume, or a private checkout of what it needs of a bucket."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sodai.volume.file_hashes import FileHashes, FileIndex

_URL = re.compile(r"s3:/+")


class VolumeBackend(Protocol):
    """The folder that a stage reads and writes, and its exchange with what is published."""

    root: Path

    @property
    def published(self) -> FileIndex:
        """Return the index of the published files."""

    @property
    def local(self) -> FileIndex:
        """Return the index of the files below `root`, to be asked after a run."""

    def fetch(self, paths: Iterable[Path], in_place: Collection[str]) -> None:
        """Fetch the published files and folders that a stage reads; skip missing ones.

        Args:
            paths: below `root`.
            in_place: those of them that the stage changes rather than replaces, by path below `root`.
        """

    def push(self, publish_roots: Collection[str]) -> None:
        """Publish files and folders below `root`, by path, replacing each as a whole; all of them or none."""

    def push_file(self, file: Path, text: str) -> None:
        """Write a small file and publish it without replacing anything; a read-only volume does without."""


class LocalBackend:
    """A volume that is a folder of this machine: files are published where they are written."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.published = self.local = FileHashes(self.root)

    def fetch(self, paths: Iterable[Path], in_place: Collection[str]) -> None:
        """Do nothing: all files are there."""

    def push(self, publish_roots: Collection[str]) -> None:
        """Do nothing: the attempt has put its outputs into place."""

    def push_file(self, file: Path, text: str) -> None:
        """Write the file."""
        with suppress(OSError):
            file.write_text(text, encoding="utf-8")


@contextmanager
def open_backend(data: Path) -> Iterator[VolumeBackend]:
    """Yield the backend of the volume `data`, a folder or `s3://bucket/prefix`.

    Raises:
        VolumeError: the object store does not answer as expected.
    """
    if not is_url(data):
        yield LocalBackend(data)
        return
    # Only here: a volume that is a folder does without the client of the object store.
    from sodai.object_store.checkout import open_checkout

    with open_checkout(url_of(data)) as checkout:
        yield checkout


def is_url(data: Path) -> bool:
    """Return whether a volume is named by URL."""
    return _URL.match(str(data)) is not None


def url_of(data: Path) -> str:
    """Return the URL that was given as a path, which drops one of its slashes."""
    return _URL.sub("s3://", str(data), count=1)
