"""Scripts under the names of commands, for a test that says what a machine has."""

import shutil
from pathlib import Path


def put_command(folder: Path, name: str, script: str = "") -> None:
    """Make a command of a shell script, which does nothing if empty."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def put_own(folder: Path, *names: str) -> None:
    """Make commands of those that this machine has."""
    for name in names:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
