"""The manifest of an object store: the list of its published files and of the objects that hold them."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from sodai.errors import VolumeError

_FORMAT = 1


@dataclass(frozen=True)
class StoredObject:
    """The object that holds a file; SHA-256 and size in bytes are those of the file too."""

    object: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The published files, by path below the root.

    `dropped` maps each object that no file uses any more to the time when it went out of use, in seconds
    since 1970: readers of an older manifest may still need it.
    """

    files: Mapping[str, StoredObject] = field(default_factory=dict)
    dropped: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, where: str) -> "Manifest":
        """Return the manifest that `to_json` wrote; an empty one for an empty text.

        Args:
            text: of the pointer.
            where: the URL of the store, for the error.

        Raises:
            VolumeError: the text is no manifest, or one of another format.
        """
        if not text:
            return cls()
        try:
            fields = json.loads(text)
            if fields["format"] != _FORMAT:
                raise ValueError(f"format {fields['format']}")
            files = {name: StoredObject(**entry) for name, entry in fields["files"].items()}
            return cls(files, fields["dropped"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VolumeError(
                f"{where}/manifest.json: not readable ({type(error).__name__}: {error}), expected the list "
                f"of files in format {_FORMAT}; restore an earlier version of it"
            ) from None

    def to_json(self) -> str:
        """Return the manifest as it is stored."""
        files = {name: asdict(stored) for name, stored in sorted(self.files.items())}
        return json.dumps({"format": _FORMAT, "files": files, "dropped": dict(self.dropped)}, indent=0)

    def below(self, path: str) -> dict[str, StoredObject]:
        """Return the file of that path, or the files of that folder; `.` is the root."""
        if path == ".":
            return dict(self.files)
        return {name: stored for name, stored in self.files.items() if is_below(name, [path])}

    def with_files(
        self, publish_roots: Collection[str], files: Mapping[str, StoredObject], now: float
    ) -> "Manifest":
        """Return the manifest after a push.

        Args:
            publish_roots: files and folders that are replaced as a whole.
            files: all files below the publish roots from now on, and files to add elsewhere.
            now: seconds since 1970.
        """
        kept = {name: stored for name, stored in self.files.items() if not is_below(name, publish_roots)}
        published = {**kept, **files}
        used = {stored.object for stored in published.values()}
        unused = {stored.object for stored in self.files.values()} - used
        dropped = {**self.dropped, **dict.fromkeys(sorted(unused), now)}
        return Manifest(published, {name: since for name, since in dropped.items() if name not in used})

    def without_dropped(self, objects: Collection[str]) -> "Manifest":
        """Return the manifest after some dropped objects were removed from the store."""
        removed = set(objects)
        return Manifest(
            self.files, {name: since for name, since in self.dropped.items() if name not in removed}
        )

    def by_digest(self) -> dict[str, StoredObject]:
        """Map each SHA-256 to an object that has it."""
        return {stored.sha256: stored for stored in self.files.values()}


def is_below(name: str, paths: Collection[str]) -> bool:
    """Return whether a file is one of some files and folders, or in one of the folders."""
    return any(name == path or name.startswith(f"{path}/") for path in paths)
