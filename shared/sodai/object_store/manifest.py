"""What is published on an object store: the one list of its files and of the objects that hold them."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from sodai.errors import VolumeError

_FORMAT = 1


@dataclass(frozen=True)
class StoredObject:
    """The object that holds a file, the SHA-256 and the size in bytes of both."""

    object: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """Path below the root -> object; a reader of one manifest sees whole publications only.

    `dropped` says since when (seconds since 1970) an object is in no manifest any more, for whoever reads
    by an older one.
    """

    files: Mapping[str, StoredObject] = field(default_factory=dict)
    dropped: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, where: str) -> "Manifest":
        """The manifest of a text; an empty one of no text.

        Raises:
            VolumeError: the text is no manifest, or one of another format; `where` names the store.
        """
        if not text:
            return cls()
        try:
            record = json.loads(text)
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']}")
            files = {name: StoredObject(**entry) for name, entry in record["files"].items()}
            return cls(files, record["dropped"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VolumeError(
                f"{where}/manifest.json: not readable ({type(error).__name__}: {error}), expected the list "
                f"of files in format {_FORMAT}; bring an earlier version of it back"
            ) from None

    def text(self) -> str:
        """The manifest as it is stored."""
        files = {name: asdict(stored) for name, stored in sorted(self.files.items())}
        return json.dumps({"format": _FORMAT, "files": files, "dropped": dict(self.dropped)}, indent=0)

    def below(self, path: str) -> dict[str, StoredObject]:
        """The file of that path, or the files of the folder; `.` is the root."""
        if path == ".":
            return dict(self.files)
        return {name: stored for name, stored in self.files.items() if is_below(name, [path])}

    def with_published(
        self, units: Collection[str], files: Mapping[str, StoredObject], now: float
    ) -> "Manifest":
        """The manifest after a publication.

        Args:
            units: files and folders that are replaced as a whole.
            files: what lies there from now on, and single files beside.
            now: seconds since 1970.
        """
        kept = {name: stored for name, stored in self.files.items() if not is_below(name, units)}
        published = {**kept, **files}
        named = {stored.object for stored in published.values()}
        gone = {stored.object for stored in self.files.values()} - named
        dropped = {**self.dropped, **dict.fromkeys(sorted(gone), now)}
        return Manifest(published, {name: since for name, since in dropped.items() if name not in named})

    def without_dropped(self, objects: Collection[str]) -> "Manifest":
        """The manifest after some dropped objects were removed."""
        gone = set(objects)
        return Manifest(self.files, {name: since for name, since in self.dropped.items() if name not in gone})

    def by_content(self) -> dict[str, StoredObject]:
        """SHA-256 -> an object that holds it."""
        return {stored.sha256: stored for stored in self.files.values()}


def is_below(name: str, units: Collection[str]) -> bool:
    """Whether a path is one of some files and folders, or lies in one."""
    return any(name == unit or name.startswith(f"{unit}/") for unit in units)
