"""`make bench IMAGES=1`: measure the size of the images and their build times, cold and after a changed line.

A copy of the project is built under a tag of its own. The cold build repeats every step except the base
image; packages in the cache of the engine are not downloaded again.
"""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".cache" / "bench" / "images.csv"
TAG = "bench"
CHANGED = "create_features"


def build_seconds(root: Path, *options: str) -> float:
    """Return the seconds that `images/build.sh` takes in a copy of the project."""
    started = time.perf_counter()
    environment = {**os.environ, "SODAI_IMAGE_TAG": TAG}
    subprocess.run([root / "images/build.sh", *options], check=True, env=environment)
    return time.perf_counter() - started


def change_a_line(file: Path) -> None:
    """Add a line to a program, like a developer who changes it."""
    file.write_text(file.read_text() + "# A new line.\n")


def sizes() -> dict[str, float]:
    """Return the MB of each image of the tag by name."""
    listed = _docker("image", "ls", "--filter", f"reference=sodai/*:{TAG}", "--format", "{{.Repository}}")
    names = sorted(listed.split())
    return {
        name: int(_docker("image", "inspect", "--format", "{{.Size}}", f"{name}:{TAG}")) / 1e6
        for name in names
    }


def measure(root: Path) -> pd.DataFrame:
    """Build a copy of the project below `root` cold, then after a changed line.

    Returns:
        what, value, unit: build times in seconds, then the size of each image in MB.
    """
    _copy(root)
    cold = build_seconds(root, "--no-cache")
    change_a_line(root / "stages" / CHANGED / "cli.py")
    changed = build_seconds(root, CHANGED)
    unchanged = build_seconds(root)
    built = sizes()
    _docker("image", "rm", *(f"{name}:{TAG}" for name in built))
    rows = [
        ("all images, cold", cold, "s"),
        (f"{CHANGED} after a changed line", changed, "s"),
        ("all images where nothing changed", unchanged, "s"),
        *((name, size, "MB") for name, size in built.items()),
    ]
    return pd.DataFrame(rows, columns=["what", "value", "unit"])


def _copy(root: Path) -> None:
    """Copy the files that git tracks; an image contains no others."""
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True)
    for name in filter(None, files.stdout.split("\0")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    argparse.ArgumentParser(prog="bench", description=__doc__).parse_args(arguments)
    with TemporaryDirectory() as folder:
        table = measure(Path(folder))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(FILE, index=False)
    print(table.to_string(index=False, float_format=lambda value: f"{value:,.1f}"))


if __name__ == "__main__":
    main()
