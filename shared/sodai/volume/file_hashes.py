"""What lies on a volume, by SHA-256; a file is read once for as long as it does not change."""

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
_REMEMBERED = ".hashes.json"


def sha256_of(path: Path) -> str:
    """SHA-256 in hexadecimal: of a file's bytes, or of the names and hashes of the files of a folder."""
    if path.is_dir():
        told = "".join(f"{sha256_of(file)} {file.relative_to(path)}\n" for file in files_below(path))
        return hashlib.sha256(told.encode()).hexdigest()
    return _sha256_of_file(path)


def _sha256_of_file(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def files_below(path: Path) -> list[Path]:
    """`path` if it is a file; of a folder the files and empty folders below it, in order, no hidden ones."""
    if path.is_file():
        return [path]
    found = (each for each in path.rglob("*") if not _is_hidden(each.relative_to(path)))
    return sorted(each for each in found if not _holds_more(each))


def _holds_more(path: Path) -> bool:
    """Whether a path is a folder with something in it; what went since it was listed is none."""
    with suppress(FileNotFoundError):
        return path.is_dir() and any(path.iterdir())
    return False


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


class FileIndex(Protocol):
    """What lies on a volume, wherever that is."""

    root: Path

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Path below the root -> SHA-256 of every file of some files and folders, or why there is none."""

    def matching(self, pattern: str) -> list[Path]:
        """The files and folders whose path below the root matches, in order."""

    def text(self, path: Path) -> str:
        """The text of a small file.

        Raises:
            OSError: it is missing or not readable.
        """

    def save(self) -> None:
        """Keep what was found out for the next process."""


class FileHashes:
    """Hashes of the files of a volume, remembered in a file of its root.

    A remembered hash stands while inode, size, time of modification and time of change are those that
    the file had when it was read. The kernel alone sets the last and moves it on with whatever is written,
    renamed or restored, so that copied times do not deceive; and a file is read only when its newest change
    is older than the clock's tick, so that a later one cannot carry the same time. A rerun publishes
    another inode. What lies on a disk that decays without being written is not found this way.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root / _REMEMBERED
        self._known: dict[str, list[object]] = {}
        self._is_new = False
        with suppress(OSError, ValueError, TypeError):
            self._known = dict(json.loads(self._file.read_text(encoding="utf-8")))

    def of(self, file: Path) -> str:
        """SHA-256 of a file below the root.

        Raises:
            OSError: it is missing or not readable.
        """
        name, stamp = str(file.relative_to(self.root)), _stamp(file)
        remembered = self._known.get(name)
        if remembered and remembered[:-1] == stamp:
            return str(remembered[-1])
        age = time.time_ns() - file.stat().st_ctime_ns
        time.sleep(max(0, _TICK_NS - age) / 1e9 if age >= 0 else 0)
        digest = _sha256_of_file(file)
        if age >= 0:  # a clock that is ahead of this machine's says nothing about order
            self._known[name] = [*stamp, digest]
            self._is_new = True
        return digest

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Path below the root -> SHA-256 of every file of some files and folders.

        Of what is missing, an empty folder or not readable, the reason stands in the place of the hash.
        """
        return {
            str(file.relative_to(self.root)): self._of_any(file)
            for path in paths
            for file in files_below(path) or [path]
        }

    def _of_any(self, file: Path) -> str:
        try:
            return self.of(file)
        except OSError as error:
            return type(error).__name__

    def matching(self, pattern: str) -> list[Path]:
        """The files and folders whose path below the root matches, in order."""
        return sorted(self.root.glob(pattern))

    def text(self, path: Path) -> str:
        """The text of a small file.

        Raises:
            OSError: it is missing or not readable.
        """
        return path.read_text(encoding="utf-8")

    def save(self) -> None:
        """Keep what was found out for the next process; a volume that refuses costs the time again."""
        if not self._is_new:
            return
        known = {name: entry for name, entry in self._known.items() if (self.root / name).exists()}
        with suppress(OSError), atomic_write(self._file) as part:
            part.write_text(json.dumps(known), encoding="utf-8")


def _stamp(file: Path) -> list[object]:
    found = file.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
