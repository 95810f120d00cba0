"""One stage as one task on a process of this machine."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from sodai_arguments import stage_arguments
from sodai_processes import start
from sodai_results import RESULT_LINE, StageLost, result_of
from sodai_settings import Settings

_STOP_SECONDS = 20


class ProcessStageOperator(BaseOperator):
    """Runs a stage's CLI as a process of this machine, its arguments as a container would get them."""

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#d9f0e3"

    def __init__(self, *, stage: str, settings: Settings, shard: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage, self.settings = stage, settings
        self.arguments = stage_arguments(stage, settings.shards, shard)
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the stage, its log line by line, and give its result."""
        try:
            process = self._process = start(self.settings, self.stage, self.arguments)
        except OSError as error:
            raise StageLost(
                f"{self.stage}: not started, SODAI_PYTHON is {self.settings.python}: {error}"
            ) from error
        if process.stderr is None or process.stdout is None:
            raise StageLost(f"{self.stage}: started without pipes")
        try:
            with process.stderr as log, process.stdout as stdout:
                # The result is one short line, so that it never fills its pipe while the log is read.
                for line in log:
                    self.log.info("%s", line.rstrip())
                written = stdout.read()
            result = result_of(self.stage, process.wait(), written)
        finally:
            # Airflow calls it for signals that end a task, not for Ctrl-C during `make run`.
            self.on_kill()
        self.log.info(RESULT_LINE, result["as_of"], result)
        return result

    def on_kill(self) -> None:
        """Ask the stage to end, and end it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
