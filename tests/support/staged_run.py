"""The stages of a run in the order of the DAG, one after the other and without Airflow."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sodai.data.catalog import DRIFT, LOAD, RETRAIN, STAGES
from sodai_arguments import branch_of, rendered_arguments
from sodai_processes import start
from sodai_settings import Settings


@dataclass(frozen=True)
class StageEnd:
    """How a stage ended: its exit code, its result line and its log."""

    stage: str
    code: int
    result: dict[str, Any]
    log: str


def run_stages(runner: Settings, as_of: str, params: Mapping[str, Any]) -> Iterator[StageEnd]:
    """Run the stages that a run takes, each as the runner's process; none after one that fails.

    Args:
        runner: with the volume and, if there is one, the stage server.
        as_of: first day to predict, or `auto`.
        params: of a run, as `rendered_arguments` takes them.
    """
    not_taken = ""
    for stage in STAGES:
        if stage == not_taken:
            continue
        end = run_one(runner, stage, rendered_arguments(stage, as_of, params))
        yield end
        if end.code:
            return
        as_of = end.result["as_of"]
        if stage == DRIFT:
            not_taken = {RETRAIN: LOAD, LOAD: RETRAIN}[branch_of(end.result)]


def run_one(runner: Settings, stage: str, arguments: Sequence[str]) -> StageEnd:
    """Run a stage as the runner's process."""
    process = start(runner, stage, arguments)
    assert process.stderr is not None
    assert process.stdout is not None
    with process.stderr as stderr, process.stdout as stdout:
        log, lines = stderr.read(), stdout.read().splitlines()
    return StageEnd(stage, process.wait(), json.loads(lines[-1]) if lines else {}, log)
