"""Answers questions about the DAG inside Airflow's own environment: JSON lines on stdin, an answer to each.

Run by Airflow's Python; `conftest.py` starts it once and asks it from the environment of the tests.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import DownstreamTasksSkipped
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    ParamValidationError,
)
from airflow.sdk.execution_time.timeout import timeout
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction
from airflow.utils.file import list_py_file_paths

import sodai_recommendation_pipeline
from sodai_dag.stage_result import result_of

FOLDER = Path(sodai_recommendation_pipeline.__file__).parent
DAG_ID = "sodai_recommendation_pipeline"


class TaskInstance:
    """The attributes and methods of a task instance that templates and branches use."""

    def __init__(self, task: BaseOperator, as_of: str, try_number: int, map_index: int) -> None:
        self.task, self.as_of, self.try_number, self.map_index = task, as_of, try_number, map_index

    def xcom_pull(self, task_ids: str) -> dict[str, str]:
        """Return the result of the first stage, which found the period."""
        return {"extract_and_validate_data": {"as_of": self.as_of}}[task_ids]

    def xcom_push(self, key: str, value: Any) -> None:
        """Ignore it: no task of these tests reads it."""


class TaskStateStore:
    """Values that a try of a task keeps for the next, as Airflow keeps them for each task of a run."""

    values: ClassVar[dict[tuple[str, str, int, str], Any]] = {}

    def __init__(self, run_id: str, task_id: str, map_index: int) -> None:
        self.scope = run_id, task_id, map_index

    def get(self, key: str, default: Any = None) -> Any:
        """Return the kept value, or the default."""
        return self.values.get((*self.scope, key), default)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self.values[(*self.scope, key)] = value


def load() -> tuple[DAG, dict[str, str]]:
    """Parse the folder as Airflow does; return the pipeline and the import errors of any file."""
    bag = DagBag(FOLDER)
    return bag.dags[DAG_ID], dict(bag.import_errors)


def describe() -> dict[str, Any]:
    """Return what Airflow reads of the DAG, and of the folder."""
    dag, errors = load()
    return {
        "files": sorted(
            str(Path(file).relative_to(FOLDER)) for file in list_py_file_paths(FOLDER, safe_mode=False)
        ),
        "import_errors": errors,
        "ids": sorted(dag.task_ids),
        "edges": sorted([task.task_id, below] for task in dag.tasks for below in task.downstream_task_ids),
        "operators": {
            task.task_id: getattr(task, "operator_class", type(task)).__name__ for task in dag.tasks
        },
        "mapped": {
            task.task_id: task.expand_input.value for task in dag.tasks if isinstance(task, MappedOperator)
        },
        "pools": {task.task_id: task.pool for task in dag.tasks},
        "trigger_rules": {task.task_id: task.trigger_rule.value for task in dag.tasks},
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "timeouts": {
            task.task_id: task.execution_timeout and task.execution_timeout.total_seconds()
            for task in dag.tasks
        },
        "docs": {task.task_id: task.doc_md for task in dag.tasks},
        "doc": dag.doc_md,
        "schedule": dag.schedule.expression if dag.schedule else None,
        "timetable": repr(dag.timetable),
        "first_run_waits": dag.schedule is not None and first_run_waits(dag.schedule),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "params": {
            name: {"default": param.value, "description": param.description, **param.schema}
            for name in dag.params
            for param in [dag.params.get_param(name)]
        },
    }


def first_run_waits(schedule: Any) -> bool:
    """Return whether no run starts before the schedule's next time."""
    timetable = decode_timetable(encode_timetable(schedule))
    now = datetime.now(UTC)
    run = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
    )
    return run is not None and run.run_after > now


def refusal(params: Mapping[str, Any]) -> str | None:
    """Return Airflow's error for these parameters of a run, None if it accepts them."""
    accepted = load()[0].params
    try:
        accepted.update(params)
        accepted.validate()
    except ParamValidationError as error:
        return str(error).splitlines()[0]
    return None


def render(as_of: str, params: Mapping[str, Any], shard: int = 0) -> dict[str, list[str]]:
    """Return the arguments of every stage, as Airflow renders their templates.

    Args:
        shard: of the mapped task, if there is one.
    """
    dag, _ = load()
    rendered = {}
    for operator in dag.tasks:
        task = operator.unmap({"shard": shard}) if isinstance(operator, MappedOperator) else operator
        if isinstance(task, EmptyOperator):
            continue
        task.render_template_fields(_context(task, as_of, params))
        rendered[task.task_id] = task.arguments if hasattr(task, "arguments") else task.command
    return rendered


def judge(ends: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outcome of each end of a stage."""
    return [_outcome(lambda end=end: result_of(**end)) for end in ends]


def execute(
    stage: str,
    as_of: str,
    params: Mapping[str, Any],
    run_id: str = "run",
    try_number: int = 1,
    limits: Mapping[str, Any] | None = None,
    shard: int = -1,
) -> dict[str, Any]:
    """Run the task of a stage as a worker does: templates rendered, ended by SIGTERM, timed out by SIGALRM.

    Args:
        limits: of the container, instead of the stage's own.
        shard: of a mapped task.
    """
    dag, _ = load()
    task = dag.get_task(stage)
    if isinstance(task, MappedOperator):
        task = task.unmap({"shard": shard})
    if limits:
        task.limits = replace(task.limits, **limits)
    context = _context(task, as_of, params, run_id, try_number, shard)
    task.render_template_fields(context)
    signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    try:
        with timeout(task.execution_timeout.total_seconds()):
            return _outcome(lambda: task.execute(context))
    except AirflowTaskTimeout as error:
        task.on_kill()
        return {"error": type(error).__name__}
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _context(
    task: BaseOperator,
    as_of: str,
    params: Mapping[str, Any],
    run_id: str = "run",
    try_number: int = 1,
    map_index: int = -1,
) -> dict[str, Any]:
    return {
        "dag": task.dag,
        "params": params,
        "run_id": run_id,
        "ti": TaskInstance(task, as_of, try_number, map_index),
        "task_state_store": TaskStateStore(run_id, task.task_id, map_index),
    }


def _outcome(action: Any) -> dict[str, Any]:
    try:
        return {"result": action()}
    except DownstreamTasksSkipped as skipped:
        return {"skipped": [task for task, _ in skipped.tasks]}
    except AirflowException as error:
        return {
            "error": type(error).__name__,
            "message": str(error),
            "fails_without_retry": isinstance(error, AirflowFailException),
        }


QUESTIONS = {function.__name__: function for function in (describe, refusal, render, judge, execute)}


def main(descriptor: int) -> None:
    """Answer until the questions end, each in its own environment."""
    environment = dict(os.environ)
    with os.fdopen(descriptor, "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            question = json.loads(line)
            os.environ.clear()
            os.environ.update({**environment, **question["env"]})
            answer = QUESTIONS[question["ask"]](**question["with"])
            answers.write(json.dumps({"number": question["number"], "answer": answer}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
