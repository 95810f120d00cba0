"""The private folder of a stage on an object store, and how its outputs are published together."""

import logging
import os
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from sodai.errors import SodaiError, VolumeError
from sodai.object_store.local_cache import BlobCache
from sodai.object_store.manifest import Manifest, StoredObject
from sodai.object_store.s3 import ObjectStore
from sodai.runtime.environment import ENV_CACHE
from sodai.volume.atomic_files import atomic_write, explain_write_errors
from sodai.volume.file_hashes import FileHashes, files_below

log = logging.getLogger("sodai")

_OBJECTS = "objects"
_N_THREADS = 8
_N_TRIES = 20
_PAUSE_SECONDS = 0.1


@contextmanager
def open_checkout(url: str) -> Iterator["Checkout"]:
    """Yield a checkout of the object store `url` for one stage; its folder is removed when the block ends.

    The folder is below the one that SODAI_CACHE names, which also keeps fetched files for other stages of
    this machine. Folders of killed processes are removed first.

    Raises:
        VolumeError: the store does not answer as expected, or SODAI_CACHE cannot be written.
    """
    # Each user has an own one: files of another user could neither be used nor removed.
    default = Path(tempfile.gettempdir(), f"sodai-{os.getuid()}")
    folder = Path(os.environ.get(ENV_CACHE) or default).resolve()
    with ExitStack() as stack:
        with _explain_cache_errors(folder):
            cache = BlobCache(folder)
            root = stack.enter_context(cache.private_folder())
            # An interrupted search continues with its trials, which are never published.
            studies = cache.permanent_folder(f"studies-{uuid.uuid5(uuid.NAMESPACE_URL, url)}")
            (root / "studies").symlink_to(studies)
        try:
            yield Checkout(ObjectStore(url), root, cache)
        except SodaiError as error:
            # The folder no longer exists when the message is read.
            raise type(error)(str(error).replace(str(root), url)) from error


class Checkout:
    """The files of an object store that one stage needs, below `root`, and the push of its outputs."""

    def __init__(self, store: ObjectStore, root: Path, cache: BlobCache) -> None:
        """Read the manifest; all reads of the checkout go by this version of it."""
        self.root, self.name = root, store.url
        self._store, self._cache = store, cache
        self._manifest, self._tag = self._read_manifest()
        self._first_manifest = self._manifest
        self._in_place: Collection[str] = ()
        self.published = ManifestIndex(root, self._manifest, self._fetch_file)
        self.local = CheckoutIndex(root)

    def fetch(self, paths: Iterable[Path], in_place: Collection[str]) -> None:
        """Download files and folders, each file checked against its SHA-256.

        Args:
            paths: below `root`; missing ones are skipped.
            in_place: those of them that the stage changes rather than replaces, by path below `root`.

        Raises:
            VolumeError: an object is damaged or missing, the disk of this machine is full, or the store does
                not answer as expected.
        """
        self._in_place = in_place
        wanted = {
            name: stored
            for path in paths
            for name, stored in self._first_manifest.below(str(path.relative_to(self.root))).items()
            if not (self.root / name).exists()
        }
        with ThreadPoolExecutor(_N_THREADS) as pool:
            n_downloaded = sum(pool.map(lambda item: self._fetch_file(*item), wanted.items()))
        log.info(
            "fetched %d files of %s: %.1f MB downloaded, %.1f MB from %s",
            len(wanted),
            self.name,
            n_downloaded / 1e6,
            (sum(stored.size for stored in wanted.values()) - n_downloaded) / 1e6,
            self._cache.folder,
        )

    def push(self, publish_roots: Collection[str]) -> None:
        """Upload files and folders below `root`, by path, then replace all of them in the manifest together.

        Files that other runs push at the same time are kept.

        Raises:
            VolumeError: too many concurrent updates of the manifest, another run changed what this one
                changes in place, or the store does not answer as expected.
        """
        files = {
            str(file.relative_to(self.root)): file
            for path in publish_roots
            for file in files_below(self.root / path)
            if file.is_file()
        }
        self._push(publish_roots, files)

    def add(self, files: Iterable[Path]) -> None:
        """Publish files below `root` without replacing anything else.

        Raises:
            VolumeError: see `push`.
        """
        self._push((), {str(file.relative_to(self.root)): file for file in files})

    def push_file(self, file: Path, text: str) -> None:
        """Write a small file and publish it without replacing anything else.

        Raises:
            VolumeError: see `push`.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        self.add([file])

    def prune(self, before: float) -> int:
        """Remove the objects that no manifest has named since `before` and return how many there were.

        Args:
            before: seconds since 1970, longer ago than any stage or reader takes.

        Raises:
            VolumeError: the store does not answer as expected.
        """
        used = {stored.object for stored in self._manifest.files.values()}
        dropped = self._manifest.dropped
        unused = [
            name
            for name, changed in self._store.objects(_OBJECTS)
            if name not in used and dropped.get(name, changed.timestamp()) < before
        ]
        self._store.delete(unused)
        self._update_manifest(lambda manifest: manifest.without_dropped(unused))
        return len(unused)

    def _push(self, publish_roots: Collection[str], files: Mapping[str, Path]) -> None:
        digests = {name: self.local.digest(file) for name, file in files.items()}
        uploaded: dict[str, StoredObject] = {}

        def with_files(manifest: Manifest) -> Manifest:
            self._check_in_place(manifest)
            uploaded.update(self._upload(files, digests, manifest.by_digest().keys() | uploaded.keys()))
            available = {**manifest.by_digest(), **uploaded}
            stored = {name: available[digest] for name, digest in digests.items()}
            return manifest.with_files(publish_roots, stored, time.time())

        self._update_manifest(with_files)

    def _update_manifest(self, change: Callable[[Manifest], Manifest]) -> None:
        """Replace the manifest by its changed version; repeat with the new one if another run was faster."""
        for number in range(_N_TRIES):
            changed = change(self._manifest)
            if changed == self._manifest:
                return
            if tag := self._store.replace_pointer(changed.to_json(), self._tag):
                self._manifest, self._tag = changed, tag
                return
            time.sleep(random.uniform(0, _PAUSE_SECONDS * (number + 1)))
            self._manifest, self._tag = self._read_manifest()
            if self._manifest == changed:
                # The manifest was written, and only the answer was lost.
                return
            log.info("another run pushed at the same time; repeating with its manifest")
        raise VolumeError(
            f"{self.name}: other runs replaced the manifest {_N_TRIES} times while this one tried to, "
            "expected fewer concurrent updates; run the stage again"
        )

    def _check_in_place(self, manifest: Manifest) -> None:
        """Refuse a manifest in which another run changed what this one changes in place."""
        for name in self._in_place:
            if manifest.below(name) != self._first_manifest.below(name):
                raise VolumeError(
                    f"{self.name}/{name}: another run changed it since this one began, expected one run at a "
                    "time; run the stage again"
                )

    def _upload(
        self, files: Mapping[str, Path], digests: Mapping[str, str], available: Collection[str]
    ) -> dict[str, StoredObject]:
        """Upload the files whose SHA-256 is not available yet; map each new SHA-256 to its object."""
        new = {digest: files[name] for name, digest in digests.items() if digest not in available}
        with ThreadPoolExecutor(_N_THREADS) as pool:
            return dict(zip(new, pool.map(self._upload_file, new.values(), new.keys()), strict=True))

    def _upload_file(self, file: Path, digest: str) -> StoredObject:
        # A new name each time: an object that is out of use never comes into use again, so that it can be
        # removed.
        stored = StoredObject(f"{_OBJECTS}/{digest}-{uuid.uuid4().hex[:8]}", digest, file.stat().st_size)
        self._store.upload(file, stored.object)
        self._cache.add(file, digest)
        return stored

    def _fetch_file(self, name: str, stored: StoredObject) -> int:
        """Fetch a file, whole or not at all, and return the number of bytes that were downloaded."""
        file = self.root / name
        with _explain_cache_errors(self._cache.folder):
            file.parent.mkdir(parents=True, exist_ok=True)
            if self._cache.link(stored.sha256, file):
                return 0
            with atomic_write(file) as private:
                digest = self._store.download(stored.object, private)
                if digest != stored.sha256:
                    raise VolumeError(
                        f"{self.name}/{name}: object {stored.object} has the SHA-256 {digest[:12]}, expected "
                        f"{stored.sha256[:12]}: it is damaged; run the stage that writes it with --force"
                    )
            self._cache.add(file, stored.sha256)
            return stored.size

    def _read_manifest(self) -> tuple[Manifest, str]:
        text, tag = self._store.read_pointer()
        return Manifest.parse(text, self.name), tag


class ManifestIndex:
    """The files of a manifest: their SHA-256 without a download, and the text of small ones."""

    def __init__(self, root: Path, manifest: Manifest, fetch: Callable[[str, StoredObject], int]) -> None:
        self.root = root
        self._manifest, self._fetch = manifest, fetch

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Map each file of some files and folders to its SHA-256, see FileIndex."""
        hashes: dict[str, str] = {}
        for path in paths:
            name = str(path.relative_to(self.root))
            below = self._manifest.below(name)
            hashes |= {each: stored.sha256 for each, stored in below.items()} or {name: "FileNotFoundError"}
        return hashes

    def matching(self, pattern: str) -> list[Path]:
        """Return the published files whose path below the root matches, in order."""
        return [
            self.root / name for name in sorted(self._manifest.files) if Path("/", name).match(f"/{pattern}")
        ]

    def below(self, path: Path) -> list[Path]:
        """Return the published file of that path, or the files of that folder."""
        return [self.root / name for name in self._manifest.below(str(path.relative_to(self.root)))]

    def text(self, path: Path) -> str:
        """Return the text of a small file.

        Raises:
            OSError: it is missing.
            VolumeError: its object is damaged or missing, or the store does not answer as expected.
        """
        name = str(path.relative_to(self.root))
        stored = self._manifest.files.get(name)
        if stored is None:
            raise FileNotFoundError(name)
        if not path.exists():
            self._fetch(name, stored)
        return path.read_text(encoding="utf-8")

    def save(self) -> None:
        """Do nothing: the hashes are in the manifest."""


class CheckoutIndex(FileHashes):
    """The files of a checkout; an empty folder counts as missing, because no object represents it."""

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Map each file of some files and folders to its SHA-256, see FileIndex."""
        hashes = super().hashes(paths)
        missing = {name: "FileNotFoundError" for name in hashes if not (self.root / name).is_file()}
        return hashes | missing


def _explain_cache_errors(folder: Path) -> AbstractContextManager[None]:
    """Turn errors of the disk of SODAI_CACHE into one line."""
    return explain_write_errors(
        folder,
        f"give the disk of {ENV_CACHE}, {folder}, space and this user the right to write, or name another",
    )
