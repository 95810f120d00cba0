"""Stages as processes of this machine."""

import os
import subprocess
from collections.abc import Sequence

from sodai_dag.settings import ROOT, Settings


def start_stage(settings: Settings, stage: str, arguments: Sequence[str]) -> "subprocess.Popen[str]":
    """Start a stage in a process group of its own; its output comes through pipes.

    Raises:
        OSError: the interpreter of the settings cannot be started.
    """
    return subprocess.Popen(
        [settings.python, "-m", stage, *arguments],
        env={
            **os.environ,
            **settings.stage_environment,
            "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT / 'stages'}",
            "SODAI_DATA": settings.volume,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
