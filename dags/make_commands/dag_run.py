"""One run of the DAG in this process, without a scheduler.

Airflow and the DAG read the environment while they are imported, so import this module after setting it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.listeners import hookimpl
from airflow.sdk import DagRunState
from airflow.sdk.listener import get_listener_manager
from airflow.utils.db import upgradedb

from make_commands.progress import TaskEnd
from sodai_dag.stage_result import StageFailed, StageLost
from sodai_recommendation_pipeline import dag


class _EndListener:
    """Airflow listener that passes on the end of each try of a task."""

    def __init__(self, ended: Callable[[TaskEnd], None]) -> None:
        self._ended = ended

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        self._pass_on(task_instance, None)

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: BaseException | str | None) -> None:
        # Airflow treats Ctrl-C as a failed try and would retry the task.
        if isinstance(error, KeyboardInterrupt):
            raise error
        known = isinstance(error, StageFailed | StageLost)
        self._pass_on(task_instance, str(error) if known else f"{type(error).__name__}: {error}")

    def _pass_on(self, task_instance: Any, error: str | None) -> None:
        index = task_instance.map_index
        name = task_instance.task_id if index < 0 else f"{task_instance.task_id} {index}"
        seconds = (datetime.now(UTC) - task_instance.start_date).total_seconds()
        self._ended(TaskEnd(name, seconds, getattr(task_instance.task, "result", None), error))


def run_dag(params: Mapping[str, Any], ended: Callable[[TaskEnd], None], migrate: bool) -> bool:
    """Run the DAG once and return whether all of it succeeded.

    Args:
        params: of the run.
        ended: called at the end of each try of a task, a retried one included.
        migrate: whether to bring Airflow's database to the installed version first.
    """
    if migrate:
        upgradedb()
    listeners: Any = get_listener_manager()
    listeners.add_listener(_EndListener(ended))
    return bool(dag.test(run_conf=dict(params)).state == DagRunState.SUCCESS)
