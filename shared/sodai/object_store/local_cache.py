"""The cache of a machine for object stores: files by their SHA-256, and the checkouts of running stages."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sodai.errors import VolumeError
from sodai.runtime.environment import ENV_CACHE
from sodai.volume.atomic_files import atomic_write
from sodai.volume.file_hashes import sha256_of
from sodai.volume.locks import exclusive_lock

_KEPT_SECONDS = 14 * 86_400


class BlobCache:
    """A folder of this machine that all stages share, with files by SHA-256 and private folders."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if it is missing.

        Raises:
            VolumeError: `folder` is a file.
        """
        if folder.exists() and not folder.is_dir():
            raise VolumeError(f"{folder}: is a file, expected a folder; name one in {ENV_CACHE}")
        self.folder = folder
        self._objects = folder / "objects"
        self._private = folder / "private"
        for each in (self._objects, self._private):
            each.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def private_folder(self) -> Iterator[Path]:
        """Yield a folder that is removed when the block ends; also remove those of processes that died."""
        self._remove_expired()
        folder = self._private / uuid.uuid4().hex
        # As long as the lock is held the folder is in use.
        with exclusive_lock(_lock_of(folder), f"{folder} is in use"):
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def permanent_folder(self, name: str) -> Path:
        """Return a folder that is never removed."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def add(self, file: Path, digest: str) -> None:
        """Keep a file that is not changed in place any more, unless the file system has no hard links.

        Args:
            file: on the file system of the cache.
            digest: its SHA-256.
        """
        with suppress(OSError), atomic_write(self._objects / digest) as private:
            file.chmod(0o444)
            os.link(file, private)

    def link(self, digest: str, file: Path) -> bool:
        """Create `file` with the content that has a SHA-256; return False if it is missing or damaged."""
        with suppress(OSError):
            os.link(self._objects / digest, file)
            if sha256_of(file) == digest:
                os.utime(file)
                return True
        file.unlink(missing_ok=True)
        return False

    def _remove_expired(self) -> None:
        now = time.time()
        for blob in self._objects.iterdir():
            with suppress(OSError):
                if now - blob.stat().st_mtime > _KEPT_SECONDS:
                    blob.unlink()
        for lock in self._private.glob("*.lock"):
            with suppress(VolumeError), exclusive_lock(lock, f"{lock} is in use", patience=0) as held:
                if held:
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")
