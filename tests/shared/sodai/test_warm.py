"""A stage's process that starts early: what it imports, and when it stops."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[3]


def imported(stage: str, stdin: IO[str] | int, folder: Path) -> str:
    """What a process imported until it said that it had, or ended, as Python's own log of imports."""
    reading, told = os.pipe()
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "sodai.warm", stage, str(told)],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=written,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT / 'stages'}"},
            pass_fds=[told],
        )
    os.close(told)
    with os.fdopen(reading, "rb") as pipe:
        pipe.read()
    if process.stdin:
        process.stdin.close()
    assert process.wait() == 0
    return log.read_text()


def test_what_only_the_command_imports_is_there_before_it_is_called(tmp_path: Path) -> None:
    log = imported("load_existing_model", subprocess.PIPE, tmp_path)
    assert " mlflow\n" in log


def test_arguments_that_are_there_end_the_imports(tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    arguments.write_text('["--help"]\n')
    with arguments.open() as stdin:
        assert " evidently\n" not in imported("detect_data_drift", stdin, tmp_path)
