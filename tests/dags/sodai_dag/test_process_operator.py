"""Stages as processes of a task: results, failures, kills, and the end of the task."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dags.conftest import PARAMS, Airflow, Week, is_running, wait_until
from sodai_dag.settings import settings_from
from support.week import files_of

STAGE = "create_features"
PYTHON = settings_from({}).python
# A stage that started a child of its own; both write their process ids.
FAMILY = """#!/bin/sh
sleep 300 >/dev/null 2>&1 &
echo "$$ $!" >"$SODAI_DATA/family.part"
mv "$SODAI_DATA/family.part" "$SODAI_DATA/family"
wait
"""


def environment(root: Path, python: str = PYTHON) -> dict[str, str]:
    return {"SODAI_RUNNER": "process", "SODAI_VOLUME": str(root), "SODAI_PYTHON": python}


def child_of(parent: int) -> int | None:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program is in parentheses and may contain anything.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            return int(stat.parent.name)
    return None


def begin(airflow: Airflow, week: Week) -> int:
    """Return the process of a create_features that is in the middle of its work."""
    airflow.begin("execute", environment(week.root), stage=STAGE, as_of=week.as_of, params=PARAMS)
    wait_until(lambda: week.being_written)
    child = child_of(airflow.process.pid)
    assert child is not None
    return child


def assert_gone(process: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_stage_gives_its_result_and_the_period_to_the_task(airflow: Airflow, week: Week) -> None:
    outcome = airflow.ask(
        "execute", environment(week.root), stage="extract_and_validate_data", as_of="unused", params=PARAMS
    )
    result = outcome["result"]
    # Left out, the period begins after the last day of `make_raw`, on which its habits buy.
    assert (result["status"], result["as_of"]) == ("done", week.as_of)
    assert f"result: {result}" in airflow.log.read_text()


def test_an_expected_failure_is_the_stages_own_line_and_not_retried(airflow: Airflow, week: Week) -> None:
    (week.root / "raw/productos.parquet").unlink()
    outcome: dict[str, Any] = airflow.ask(
        "execute",
        environment(week.root),
        stage="extract_and_validate_data",
        as_of="unused",
        params={**PARAMS, "as_of": week.as_of},
    )
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)
    assert outcome["message"].startswith("extract_and_validate_data: ")
    assert "productos.parquet" in outcome["message"]
    assert "\n" not in outcome["message"]
    assert "extract_and_validate_data ERROR" in airflow.log.read_text()


def test_a_refused_argument_is_not_retried(airflow: Airflow, week: Week) -> None:
    outcome = airflow.ask(
        "execute",
        environment(week.root),
        stage=STAGE,
        as_of=week.as_of,
        params={**PARAMS, "horizon_days": 29},
    )
    assert outcome == {
        "error": "StageFailed",
        "message": "create_features: refused its arguments; see the log above",
        "fails_without_retry": True,
    }
    assert "--horizon-days" in airflow.log.read_text()


def test_a_killed_stage_is_retried_and_the_next_try_succeeds(airflow: Airflow, week: Week) -> None:
    before = files_of(week.root / "weeks")
    os.kill(begin(airflow, week), signal.SIGKILL)

    assert airflow.answer() == {
        "error": "StageLost",
        "message": "create_features: killed before writing a result; see the log above",
        "fails_without_retry": False,
    }
    assert files_of(week.root / "weeks") == before

    again = airflow.ask(
        "execute", environment(week.root), stage=STAGE, as_of=week.as_of, params=PARAMS, try_number=2
    )
    assert again["result"]["status"] == "done"
    new = set(files_of(week.root / "weeks")) - set(before)
    tables = {"forecasts.parquet", "training.parquet", "scoring.parquet"}
    assert {Path(name).parts[2] for name in new} == {*tables, "run.json"}
    assert list((week.root / ".attempts").iterdir()) == []


def test_the_end_of_a_task_ends_the_stage_and_leaves_nothing_half_written(
    airflow: Airflow, week: Week
) -> None:
    before = files_of(week.root / "weeks")
    stage = begin(airflow, week)
    airflow.process.terminate()

    outcome = airflow.answer()
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    assert_gone(stage)
    assert files_of(week.root / "weeks") == before


def test_an_interpreter_that_is_not_there_is_one_line(airflow: Airflow, week: Week) -> None:
    alone = environment(week.root, "/nowhere/python")
    outcome = airflow.ask("execute", alone, stage=STAGE, as_of=week.as_of, params=PARAMS)
    assert outcome == {
        "error": "StageLost",
        "message": "create_features: not started, SODAI_PYTHON is /nowhere/python: [Errno 2] No such file "
        "or directory: '/nowhere/python'",
        "fails_without_retry": False,
    }


@pytest.mark.parametrize(
    ("branch", "skipped"),
    [("retrain_model", "load_existing_model"), ("load_existing_model", "retrain_model")],
)
def test_the_branch_that_the_drift_report_decided_against_is_skipped(
    airflow: Airflow, tmp_path: Path, branch: str, skipped: str
) -> None:
    assert decide(airflow, tmp_path, branch) == {"skipped": [skipped]}


def test_a_decision_for_no_branch_is_an_error_and_skips_nothing(airflow: Airflow, tmp_path: Path) -> None:
    outcome = decide(airflow, tmp_path, "evaluate_model")
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)
    assert outcome["message"].startswith("detect_data_drift: found branch 'evaluate_model', expected ")


def decide(airflow: Airflow, folder: Path, branch: str) -> dict[str, Any]:
    """Return how the task of detect_data_drift ends if its stage decides for `branch`."""
    result = {"stage": "detect_data_drift", "status": "done", "as_of": "2025-01-06", "branch": branch}
    stage = script(folder, f"#!/bin/sh\necho '{json.dumps(result)}'\n")
    outcome: dict[str, Any] = airflow.ask(
        "execute",
        environment(folder, stage),
        stage="detect_data_drift",
        as_of="2025-01-06",
        params=PARAMS,
    )
    return outcome


def script(folder: Path, text: str) -> str:
    """Return a program that replaces Python and its stage."""
    program = folder / "stage"
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def test_the_end_of_a_task_ends_the_children_of_the_stage_too(airflow: Airflow, tmp_path: Path) -> None:
    airflow.begin(
        "execute",
        environment(tmp_path, script(tmp_path, FAMILY)),
        stage=STAGE,
        as_of="2025-01-06",
        params=PARAMS,
    )
    wait_until((tmp_path / "family").exists)
    parent, child = map(int, (tmp_path / "family").read_text().split())
    airflow.process.terminate()

    assert airflow.answer()["error"] == "StageLost"
    assert_gone(parent)
    wait_until(lambda: not is_running(child))
