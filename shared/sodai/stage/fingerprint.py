"""The fingerprint of a stage run: settings, inputs, code and packages, from which its result follows."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sodai.volume.file_hashes import files_below

# Options that say where and how a stage runs; the result does not depend on them.
_IGNORED_OPTIONS = {"data", "tracking_uri", "memory_limit", "spark_remote"}


@dataclass(frozen=True)
class Fingerprint:
    """Everything that the result of a stage depends on, the registry aside.

    Args:
        settings: option -> value as text.
        inputs: path below the root -> SHA-256, or why there is none.
        code: digest of the shared code and of the stage's.
        packages: digest of installed packages, Python and machine type.
    """

    settings: Mapping[str, str]
    inputs: Mapping[str, str]
    code: str
    packages: str

    def to_record(self) -> dict[str, Any]:
        """Return the fingerprint as the run record stores it."""
        return asdict(self)

    def difference(self, earlier: Mapping[str, Any]) -> str:
        """Describe what changed since an earlier run; empty if nothing did.

        Args:
            earlier: the fingerprint of that run, see `to_record`.

        Raises:
            KeyError, TypeError, AttributeError: it is damaged or was written by other code.
        """
        for name, value in self.settings.items():
            before = earlier["settings"].get(name)
            if before != value:
                return f"--{name.replace('_', '-')} was {before}, is {value}"
        if earlier["code"] != self.code:
            return "its code changed"
        if earlier["packages"] != self.packages:
            return "the packages or the Python that it runs on changed"
        return difference_of_files("input", earlier["inputs"], self.inputs)


def settings_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that a result depends on, as text."""
    return {name: str(value) for name, value in options.items() if name not in _IGNORED_OPTIONS}


def difference_of_files(kind: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Describe the first file that was added, removed or changed; empty if all are the same.

    Args:
        kind: input or output.
        then, now: path -> SHA-256.
    """
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{kind} {changed[0]}{more} changed" if changed else ""


def code_digest(*folders: Path) -> str:
    """Hash all files of code folders with their paths below them; documentation (.md) is left out."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in (each for each in files_below(folder) if each.is_file() and each.suffix != ".md"):
            content = file.read_bytes()
            digest.update(f"{folder.name}/{file.relative_to(folder)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def packages_digest() -> str:
    """Hash the names and versions of all installed distributions, the Python version and the machine type.

    An image holds only what its stage needs, so the hash identifies the image's packages too.
    """
    # Folder names carry name and version; importlib.metadata would open every one of them.
    installed = {
        entry.name
        for folder in map(Path, sys.path)
        if folder.is_dir()
        for entry in folder.glob("*.dist-info")
    }
    lines = [sys.version, platform.machine(), *sorted(installed)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
