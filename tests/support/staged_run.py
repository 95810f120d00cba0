"""The stages of a run in the order of the DAG, one after the other and without Airflow."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2

from sodai.data.catalog import DRIFT, LOAD, RETRAIN, STAGES
from sodai_dag.parameters import stage_arguments
from sodai_dag.settings import Settings
from sodai_dag.stage_process import start_stage
from sodai_dag.stages import branch_of
from support.week import run_stage


@dataclass(frozen=True)
class StageEnd:
    """The end of a stage: its exit code, its result line and its log."""

    stage: str
    code: int
    result: dict[str, Any]
    log: str


RunStage = Callable[[str, Sequence[str]], StageEnd]


def render(arguments: Sequence[str], as_of: str, params: Mapping[str, Any]) -> list[str]:
    """Render the templates of a stage's arguments as Airflow does.

    Args:
        arguments: of `stage_arguments`.
        as_of: first day to predict, or `auto`.
        params: of a run, except `as_of`.
    """
    context = {
        "params": {**params, "as_of": as_of},
        "ti": SimpleNamespace(xcom_pull=lambda task_ids: {"as_of": as_of}),
    }
    return [jinja2.Template(argument).render(context) for argument in arguments]


def run_stages(run: RunStage, as_of: str, params: Mapping[str, Any]) -> Iterator[StageEnd]:
    """Run the stages of one run in order; none after one that fails.

    Args:
        run: runs one stage with its arguments, `run_here` or `run_one`.
        as_of: first day to predict, or `auto`.
        params: of a run, except `as_of`.
    """
    not_taken = ""
    for stage in STAGES:
        if stage == not_taken:
            continue
        end = run(stage, render(stage_arguments(stage), as_of, params))
        yield end
        if end.code:
            return
        as_of = end.result["as_of"]
        if stage == DRIFT:
            not_taken = {RETRAIN: LOAD, LOAD: RETRAIN}[branch_of(end.result)]


def run_one(settings: Settings, stage: str, arguments: Sequence[str]) -> StageEnd:
    """Run a stage as the process that the runner `process` starts."""
    process = start_stage(settings, stage, arguments)
    assert process.stderr is not None
    assert process.stdout is not None
    with process.stderr as stderr, process.stdout as stdout:
        log, lines = stderr.read(), stdout.read().splitlines()
    return StageEnd(stage, process.wait(), json.loads(lines[-1]) if lines else {}, log)


def run_here(root: Path, stage: str, arguments: Sequence[str]) -> StageEnd:
    """Run a stage's command in this process on the volume `root`.

    Args:
        arguments: of the stage, `--as-of` and the day first.
    """
    _, as_of, *options = arguments
    # As in a process of its own: libraries warn while they are imported, and pytest makes warnings errors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = run_stage(stage, root, as_of, *options)
    return StageEnd(stage, outcome.code, outcome.result, outcome.log)
