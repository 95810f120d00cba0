"""What a machine keeps of object stores: files by the hash of their content, private folders of stages."""

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sodai.errors import VolumeError
from sodai.volume.atomic_files import atomic_write
from sodai.volume.file_hashes import sha256_of

ENV_CACHE = "SODAI_CACHE"
_KEPT_SECONDS = 14 * 86_400


class BlobCache:
    """A folder of this machine: files by the hash of their content, and the private folders of stages."""

    def __init__(self, folder: Path) -> None:
        """Raises VolumeError if `folder` is a file; one that is missing is made."""
        if folder.exists() and not folder.is_dir():
            raise VolumeError(f"{folder}: is a file, expected a folder; name one in {ENV_CACHE}")
        self.folder = folder
        self._objects = folder / "objects"
        self._private = folder / "private"
        for each in (self._objects, self._private):
            each.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def private_folder(self) -> Iterator[Path]:
        """A folder that goes when the block ends; those of processes that died go first."""
        self._tidy()
        folder = self._private / uuid.uuid4().hex
        unlocked = folder.with_name(f".{folder.name}")
        unlocked.mkdir()
        with (unlocked / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.rename(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def lasting_folder(self, name: str) -> Path:
        """A folder that stays."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def keep(self, file: Path, digest: str) -> None:
        """Share a file that nobody changes in place any more; one that has no second name is not shared."""
        with suppress(OSError), atomic_write(self._objects / digest) as private:
            file.chmod(0o444)
            os.link(file, private)

    def give(self, digest: str, file: Path) -> bool:
        """Put the content of that hash at `file`; whether it was there, whole."""
        with suppress(OSError):
            os.link(self._objects / digest, file)
            if sha256_of(file) == digest:
                os.utime(file)
                return True
        file.unlink(missing_ok=True)
        return False

    def _tidy(self) -> None:
        now = time.time()
        for kept in self._objects.iterdir():
            with suppress(OSError):
                if now - kept.stat().st_mtime > _KEPT_SECONDS:
                    kept.unlink()
        for folder in self._private.glob("[!.]*"):
            with suppress(OSError), (folder / ".lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
