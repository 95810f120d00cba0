"""Copy the packages that a requirement file pins, with their bytecode, from a larger environment."""

import importlib.util
import re
import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def canonical(name: str) -> str:
    """Return the name of a package in the form in which indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(requirements: Path) -> set[str]:
    """Return the package names that a requirement file pins."""
    return {canonical(name) for name in re.findall(r"^([\w.-]+)==", requirements.read_text(), re.MULTILINE)}


def copy(distribution: Distribution, source: Path, target: Path) -> None:
    """Copy the files of a package from one folder of packages to another."""
    # copy2 keeps modification times: bytecode is valid only for the time of its source file.
    for file in distribution.files or []:
        for name in (str(file), bytecode(str(file))):
            if name and (source / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, target / name)


def bytecode(file: str) -> str:
    """Return the path of the bytecode of a module, or an empty string for any other file."""
    return importlib.util.cache_from_source(file) if file.endswith(".py") else ""


def main(requirements: Path, pool: Path, target: Path) -> None:
    """Fill the environment `target` from `pool`."""
    names = pinned(requirements)
    for distribution in distributions(path=[str(pool / SITE_PACKAGES)]):
        if canonical(distribution.name) in names:
            copy(distribution, pool / SITE_PACKAGES, target / SITE_PACKAGES)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
