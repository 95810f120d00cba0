"""One stage as one task on a process of this machine."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from sodai_dag.parameters import stage_arguments
from sodai_dag.settings import Settings
from sodai_dag.stage_process import start_stage
from sodai_dag.stage_result import StageLost, result_of

_STOP_SECONDS = 20


class ProcessStageOperator(BaseOperator):
    """Runs a stage as a process of this machine, with the arguments that a container would get.

    `result` is the stage's JSON result once it has ended.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#d9f0e3"

    def __init__(self, *, stage: str, settings: Settings, shard: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage, self.settings = stage, settings
        self.arguments = stage_arguments(stage, settings.shards, shard)
        self.result: dict[str, Any] | None = None
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the stage, pass its log on line by line, and return its result."""
        try:
            process = self._process = start_stage(self.settings, self.stage, self.arguments)
        except OSError as error:
            raise StageLost(
                f"{self.stage}: not started, SODAI_PYTHON is {self.settings.python}: {error}"
            ) from error
        if process.stderr is None or process.stdout is None:
            raise StageLost(f"{self.stage}: started without pipes")
        try:
            with process.stderr as log, process.stdout as stdout:
                # The result is one short line, so it never fills its pipe while the log is read.
                for line in log:
                    self.log.info("%s", line.rstrip())
                written = stdout.read()
            self.result = result_of(self.stage, process.wait(), written)
        finally:
            # Airflow calls it for signals that end a task, not for Ctrl-C during `make run`.
            self.on_kill()
        self.log.info("result: %s", self.result)
        return self.result

    def on_kill(self) -> None:
        """Ask the stage to end, and kill it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
