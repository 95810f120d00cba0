"""The stages of a run in the order of the DAG, one after the other and without Airflow."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sodai.data.catalog import DRIFT, LOAD, RETRAIN, STAGES
from sodai_arguments import branch_of, rendered_arguments
from sodai_processes import start
from sodai_settings import Settings
from support.week import run_stage


@dataclass(frozen=True)
class StageEnd:
    """How a stage ended: its exit code, its result line and its log."""

    stage: str
    code: int
    result: dict[str, Any]
    log: str


RunStage = Callable[[str, Sequence[str]], StageEnd]


def run_stages(run: RunStage, as_of: str, params: Mapping[str, Any]) -> Iterator[StageEnd]:
    """Run the stages of one run in order; none after one that fails.

    Args:
        run: runs one stage with its arguments, `run_here` or `run_one`.
        as_of: first day to predict, or `auto`.
        params: of a run, as `rendered_arguments` takes them.
    """
    not_taken = ""
    for stage in STAGES:
        if stage == not_taken:
            continue
        end = run(stage, rendered_arguments(stage, as_of, params))
        yield end
        if end.code:
            return
        as_of = end.result["as_of"]
        if stage == DRIFT:
            not_taken = {RETRAIN: LOAD, LOAD: RETRAIN}[branch_of(end.result)]


def run_one(settings: Settings, stage: str, arguments: Sequence[str]) -> StageEnd:
    """Run a stage as the process that the runner `process` starts."""
    process = start(settings, stage, arguments)
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
    outcome = run_stage(stage, root, as_of, *options)
    return StageEnd(stage, outcome.code, outcome.result, outcome.log)
