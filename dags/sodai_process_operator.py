"""One stage as one task on a process of this machine."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

from airflow.sdk import BaseOperator

from sodai_arguments import stage_arguments
from sodai_processes import SETTLED_SECONDS, prepare, start
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
        process = self._process = start(self.settings, self.stage, self.arguments, stages_beside(self))
        called_off = Event()
        if self.settings.early_start:
            prepare(self.settings, stages_ahead(self), SETTLED_SECONDS, called_off)
        try:
            if process.stderr is None or process.stdout is None:
                raise StageLost(f"{self.stage}: started without pipes")
            # The result is one short line, so that it never fills its pipe while the log is read.
            for line in process.stderr:
                self.log.info("%s", line.rstrip())
            stdout = process.stdout.read()
            result = result_of(self.stage, process.wait(), stdout)
        finally:
            called_off.set()
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


def stages_beside(task: Any) -> set[str]:
    """The stages of the other branches that begin where a task's own begins."""
    branches = {next_task.stage for before in task.upstream_list for next_task in _tasks_after(before)}
    return branches - {task.stage}


def stages_ahead(task: Any) -> list[str]:
    """The stages that may follow a task, and those that may follow them, in this order."""
    following = list(_tasks_after(task))
    second = [later for next_task in following for later in _tasks_after(next_task)]
    return list(dict.fromkeys(each.stage for each in [*following, *second]))


def _tasks_after(task: Any) -> "Iterator[ProcessStageOperator]":
    """The stages as processes that may follow a task, whatever stands in between."""
    for following in sorted(task.downstream_list, key=lambda each: each.task_id):
        if isinstance(following, ProcessStageOperator):
            yield following
        else:
            yield from _tasks_after(following)
