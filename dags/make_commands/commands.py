"""Programs that the commands of make run, with an error as one line."""

import os
import subprocess
from collections.abc import Mapping
from typing import IO

from sodai_dag.settings import ROOT


def output_of(
    *command: str,
    stdin: IO[bytes] | int | None = None,
    env: Mapping[str, str] | None = None,
    error_line: int = -1,
) -> str:
    """Run a command in the project's folder and return what it prints.

    Raises:
        OSError: it failed; the message is a line of its stderr, by default the last.
    """
    done = subprocess.run(
        command, stdin=stdin, cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{' '.join(command)}: exit code {done.returncode}"]
        raise OSError(lines[error_line])
    return done.stdout


def output_of_module(module: str, *arguments: str) -> str:
    """Run a module of shared/ in the environment of the stages, which is not Airflow's; see `output_of`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "shared")}
    return output_of(str(ROOT / ".venv/bin/python"), "-m", module, *arguments, env=env)
