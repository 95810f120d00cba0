"""A stage on an object store: it works on a private folder, and one pointer publishes what it made."""

import logging
import os
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sodai.errors import SodaiError, VolumeError
from sodai.object_store.local_cache import ENV_CACHE, BlobCache
from sodai.object_store.manifest import Manifest, StoredObject
from sodai.object_store.s3 import ObjectStore
from sodai.volume.atomic_files import atomic_write
from sodai.volume.file_hashes import FileHashes, files_below

log = logging.getLogger("sodai")

_OBJECTS = "objects"
_AT_ONCE = 8
_TRIES = 20
_PAUSE_SECONDS = 0.1


@contextmanager
def open_checkout(url: str) -> Iterator["Checkout"]:
    """A private folder for one stage on the object store `url`; it goes when the block ends.

    It lies in the folder that SODAI_CACHE names, which keeps what was brought for other stages of this
    machine. What killed processes left there goes too.

    Raises:
        VolumeError: the store does not answer as it should, or that folder cannot be written.
    """
    # Of this user alone: another's files could not be used, nor removed.
    usual = Path(tempfile.gettempdir(), f"sodai-{os.getuid()}")
    folder = Path(os.environ.get(ENV_CACHE) or usual).resolve()
    with ExitStack() as opened:
        with _explained(folder):
            cache = BlobCache(folder)
            root = opened.enter_context(cache.private_folder())
            # An interrupted search goes on with its trials, which no publication holds.
            studies = cache.lasting_folder(f"studies-{uuid.uuid5(uuid.NAMESPACE_URL, url)}")
            (root / "studies").symlink_to(studies)
        try:
            yield Checkout(ObjectStore(url), root, cache)
        except SodaiError as error:
            # The folder is gone when somebody reads this.
            raise type(error)(str(error).replace(str(root), url)) from error


class Checkout:
    """What one stage needs of an object store, below `root`, and the publication of what it made there."""

    def __init__(self, store: ObjectStore, root: Path, cache: BlobCache) -> None:
        self.root, self.name = root, store.url
        self._store, self._cache = store, cache
        self._manifest, self._tag = self._read()
        self._opened = self._manifest
        self._lasting: Collection[str] = ()
        self.published = ManifestIndex(root, self._manifest, self._fetch)
        self.local = CheckoutIndex(root)

    def fetch(self, paths: Iterable[Path], lasting: Collection[str]) -> None:
        """Bring files, each checked against its hash.

        Raises:
            VolumeError: an object is damaged or missing, the disk of this machine is full, or the store does
                not answer as it should.
        """
        self._lasting = lasting
        wanted = {
            name: stored
            for path in paths
            for name, stored in self._opened.below(str(path.relative_to(self.root))).items()
            if not (self.root / name).exists()
        }
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            fetched = list(pool.map(lambda item: self._fetch(*item), wanted.items()))
        log.info(
            "brought %d files of %s, %.1f MB from there and %.1f MB from %s",
            len(wanted),
            self.name,
            sum(fetched) / 1e6,
            (sum(stored.size for stored in wanted.values()) - sum(fetched)) / 1e6,
            self._cache.folder,
        )

    def push(self, units: Collection[str]) -> None:
        """Upload what lies in some files and folders, then replace them in the manifest, all at once.

        Other publications may come between: theirs stays.

        Raises:
            VolumeError: the manifest does not come to rest, another run changed what this one was built on,
                or the store does not answer as it should.
        """
        files = {
            str(file.relative_to(self.root)): file
            for unit in units
            for file in files_below(self.root / unit)
            if file.is_file()
        }
        self._push(units, files)

    def add(self, files: Iterable[Path]) -> None:
        """Publish files below `root` beside what is published.

        Raises:
            VolumeError: see `push`.
        """
        self._push((), {str(file.relative_to(self.root)): file for file in files})

    def push_file(self, file: Path, text: str) -> None:
        """Publish a small file beside what is published; nothing where it is there already.

        Raises:
            VolumeError: see `push`.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        self.add([file])

    def prune(self, before: float) -> int:
        """Remove the objects that no manifest has named since `before`; how many they were.

        Args:
            before: seconds since 1970, further back than any publication or reader takes.

        Raises:
            VolumeError: the store does not answer as it should.
        """
        named = {stored.object for stored in self._manifest.files.values()}
        dropped = self._manifest.dropped
        stale = [
            name
            for name, changed in self._store.objects(_OBJECTS)
            if name not in named and dropped.get(name, changed.timestamp()) < before
        ]
        self._store.delete(stale)
        self._replace(lambda manifest: manifest.without_dropped(stale))
        return len(stale)

    def _push(self, units: Collection[str], files: Mapping[str, Path]) -> None:
        hashes = {name: self.local.of(file) for name, file in files.items()}
        uploaded: dict[str, StoredObject] = {}

        def published(manifest: Manifest) -> Manifest:
            self._refuse_what_changed(manifest)
            uploaded.update(self._upload(files, hashes, manifest.by_content().keys() | uploaded.keys()))
            known = {**manifest.by_content(), **uploaded}
            stored = {name: known[digest] for name, digest in hashes.items()}
            return manifest.with_published(units, stored, time.time())

        self._replace(published)

    def _replace(self, change: Callable[[Manifest], Manifest]) -> None:
        """Change the manifest, starting again from what it has become where another process was faster."""
        for number in range(_TRIES):
            following = change(self._manifest)
            if following == self._manifest:
                return
            if tag := self._store.replace_pointer(following.text(), self._tag):
                self._manifest, self._tag = following, tag
                return
            time.sleep(random.uniform(0, _PAUSE_SECONDS * (number + 1)))
            self._manifest, self._tag = self._read()
            if self._manifest == following:
                # The answer to this write was lost, and its repetition met what it had written itself.
                return
            log.info("another run published meanwhile; taking its manifest over")
        raise VolumeError(
            f"{self.name}: other runs replaced the manifest {_TRIES} times while this one tried, expected a "
            "moment of rest; run the stage again"
        )

    def _refuse_what_changed(self, manifest: Manifest) -> None:
        """Stop where what the stage changed is no longer what it was when the stage began."""
        for name in self._lasting:
            if manifest.below(name) != self._opened.below(name):
                raise VolumeError(
                    f"{self.name}/{name}: another run published it since this one began, expected to be the "
                    "only one; run the stage again"
                )

    def _upload(
        self, files: Mapping[str, Path], hashes: Mapping[str, str], known: Collection[str]
    ) -> dict[str, StoredObject]:
        """Upload the contents that no object holds yet; SHA-256 -> its object."""
        new = {digest: files[name] for name, digest in hashes.items() if digest not in known}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(new, pool.map(self._upload_one, new.values(), new.keys()), strict=True))

    def _upload_one(self, file: Path, digest: str) -> StoredObject:
        # A name of its own each time: an object that nobody names any more never comes into use again, so
        # that it can be removed.
        stored = StoredObject(f"{_OBJECTS}/{digest}-{uuid.uuid4().hex[:8]}", digest, file.stat().st_size)
        self._store.upload(file, stored.object)
        self._cache.keep(file, digest)
        return stored

    def _fetch(self, name: str, stored: StoredObject) -> int:
        """Bring a file, whole or not at all; the bytes that came from the store."""
        with _explained(self._cache.folder):
            return self._fetch_whole(self.root / name, name, stored)

    def _fetch_whole(self, file: Path, name: str, stored: StoredObject) -> int:
        file.parent.mkdir(parents=True, exist_ok=True)
        if self._cache.give(stored.sha256, file):
            return 0
        with atomic_write(file) as private:
            found = self._store.download(stored.object, private)
            if found != stored.sha256:
                raise VolumeError(
                    f"{self.name}/{name}: object {stored.object} has the SHA-256 {found[:12]}, expected "
                    f"{stored.sha256[:12]}: it is damaged; run the stage that writes it with --force"
                )
        self._cache.keep(file, stored.sha256)
        return stored.size

    def _read(self) -> tuple[Manifest, str]:
        text, tag = self._store.read_pointer()
        return Manifest.of(text, self.name), tag


class ManifestIndex:
    """What a manifest holds, for content keys: hashes without a download, and the text of small records."""

    def __init__(self, root: Path, manifest: Manifest, fetch: Callable[[str, StoredObject], int]) -> None:
        self.root = root
        self._manifest, self._fetch = manifest, fetch

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Path below the root -> SHA-256 of every file of some files and folders; see FileHashes."""
        found: dict[str, str] = {}
        for path in paths:
            name = str(path.relative_to(self.root))
            below = self._manifest.below(name)
            found |= {each: stored.sha256 for each, stored in below.items()} or {name: "FileNotFoundError"}
        return found

    def matching(self, pattern: str) -> list[Path]:
        """The published files whose path below the root matches, in order."""
        return [
            self.root / name for name in sorted(self._manifest.files) if Path("/", name).match(f"/{pattern}")
        ]

    def below(self, path: Path) -> list[Path]:
        """The published file of that path, or those of the folder."""
        return [self.root / name for name in self._manifest.below(str(path.relative_to(self.root)))]

    def text(self, path: Path) -> str:
        """The text of a small file.

        Raises:
            OSError: it is not there.
            VolumeError: its object is damaged or missing, or the store does not answer as it should.
        """
        name = str(path.relative_to(self.root))
        stored = self._manifest.files.get(name)
        if stored is None:
            raise FileNotFoundError(name)
        if not path.exists():
            self._fetch(name, stored)
        return path.read_text(encoding="utf-8")

    def save(self) -> None:
        """Nothing: the manifest does."""


class CheckoutIndex(FileHashes):
    """The files of a checkout; an empty folder counts as missing, because no object represents it."""

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        """Map paths below the root to SHA-256 values, see FileHashes."""
        found = super().hashes(paths)
        return {name: found[name] if (self.root / name).is_file() else "FileNotFoundError" for name in found}


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what the disk of SODAI_CACHE refuses into a one-line error."""
    try:
        yield
    except OSError:
        # Only now: with it comes much of pyarrow, which a stage that skips does without.
        from sodai.volume.volume import explain_write_errors

        remedy = (
            f"give the disk of {ENV_CACHE}, {folder}, space and this user the right to write, or name another"
        )
        with explain_write_errors(folder, remedy):
            raise
