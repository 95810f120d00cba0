"""The files of a volume by SHA-256; a file is read once for as long as it does not change."""

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sodai.volume.atomic_files import atomic_write

# Linux stamps changes by a clock that ticks every 1 to 10 ms.
_TICK_NS = 20_000_000
_SAVED_HASHES = ".hashes.json"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 in hexadecimal of a file, or of the names and hashes of the files of a folder."""
    if path.is_dir():
        listing = "".join(f"{sha256_of(file)} {file.relative_to(path)}\n" for file in files_below(path))
        return hashlib.sha256(listing.encode()).hexdigest()
    return _sha256_of_file(path)


def _sha256_of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_below(path: Path) -> list[Path]:
    """Return the file, or the files and empty folders below a folder, in order and without hidden ones."""
    if path.is_file():
        return [path]
    visible = (each for each in path.rglob("*") if not _is_hidden(each.relative_to(path)))
    return sorted(each for each in visible if not _has_entries(each))


def _has_entries(path: Path) -> bool:
    """Return whether a path is a folder with something in it; False if it was removed since it was listed."""
    with suppress(FileNotFoundError):
        return path.is_dir() and any(path.iterdir())
    return False


def _is_hidden(path: Path) -> bool:
    return any(name.startswith(".") or name == "__pycache__" for name in path.parts)


class FileIndex(Protocol):
    """The files of a volume, in a folder or on an object store."""

    root: Path

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Map each file of some files and folders, by path below the root, to its SHA-256.

        A missing or unreadable file or an empty folder is mapped to the name of the error.
        """

    def matching(self, pattern: str) -> list[Path]:
        """Return the files and folders whose path below the root matches, in order."""

    def text(self, path: Path) -> str:
        """Return the text of a small file.

        Raises:
            OSError: it is missing or not readable.
        """

    def save(self) -> None:
        """Save the hashes for the next process."""


class FileHashes:
    """The files of a folder; their hashes are saved in a hidden file of its root.

    A saved hash is valid while inode, size, time of modification and time of change are those that the file
    had when it was read. Damage by a failing disk, which writes nothing, is not noticed.
    """

    # Copied times do not deceive: only the kernel sets the time of change, and it advances with every write,
    # rename and restore. A later change cannot carry the same time either, because a file is only read when
    # its newest change is older than one tick of the clock.

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root / _SAVED_HASHES
        self._entries: dict[str, list[object]] = {}
        self._has_new = False
        with suppress(OSError, ValueError, TypeError):
            self._entries = dict(json.loads(self._file.read_text(encoding="utf-8")))

    def digest(self, file: Path) -> str:
        """Return the SHA-256 of a file below the root.

        Raises:
            OSError: it is missing or not readable.
        """
        name, stamp = str(file.relative_to(self.root)), _stamp(file)
        entry = self._entries.get(name)
        if entry and entry[:-1] == stamp:
            return str(entry[-1])
        age = time.time_ns() - file.stat().st_ctime_ns
        time.sleep(max(0, _TICK_NS - age) / 1e9 if age >= 0 else 0)
        digest = _sha256_of_file(file)
        if age >= 0:  # the clock of a file server that is ahead of this machine proves no order
            self._entries[name] = [*stamp, digest]
            self._has_new = True
        return digest

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Map each file of some files and folders to its SHA-256, see FileIndex."""
        return {
            str(file.relative_to(self.root)): self._digest_or_error(file)
            for path in paths
            for file in files_below(path) or [path]
        }

    def _digest_or_error(self, file: Path) -> str:
        try:
            return self.digest(file)
        except OSError as error:
            return type(error).__name__

    def matching(self, pattern: str) -> list[Path]:
        """Return the files and folders whose path below the root matches, in order."""
        return sorted(self.root.glob(pattern))

    def text(self, path: Path) -> str:
        """Return the text of a small file.

        Raises:
            OSError: it is missing or not readable.
        """
        return path.read_text(encoding="utf-8")

    def save(self) -> None:
        """Save the hashes for the next process, unless the volume is read-only."""
        if not self._has_new:
            return
        entries = {name: entry for name, entry in self._entries.items() if (self.root / name).exists()}
        with suppress(OSError), atomic_write(self._file) as private:
            private.write_text(json.dumps(entries), encoding="utf-8")


def _stamp(file: Path) -> list[object]:
    status = file.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
