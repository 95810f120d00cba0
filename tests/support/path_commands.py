"""Scripts under the names of commands, for tests of machines with certain commands."""

import shutil
from pathlib import Path


def put_command(folder: Path, name: str, script: str = "") -> None:
    """Create a command from a shell script, which does nothing if empty."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def put_own(folder: Path, *names: str) -> None:
    """Link commands of this machine."""
    for name in names:
        path = shutil.which(name)
        assert path, name
        (folder / name).symlink_to(path)
