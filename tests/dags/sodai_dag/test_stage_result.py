"""The end of a stage, as its task reads it: a result, an immediate failure, or a retry."""

import json
from typing import Any

import pytest

from dags.conftest import Airflow

STAGE = "create_features"
DONE = {"stage": STAGE, "status": "done", "as_of": "2025-01-06", "n_scoring": 12}
RESULT = json.dumps(DONE)
FAILURE = json.dumps({"stage": STAGE, "status": "failed", "error": "products: missing, expected productos"})


def outcome_of(airflow: Airflow, exit_code: int, stdout: str, out_of_memory: bool = False) -> dict[str, Any]:
    end = {"stage": STAGE, "exit_code": exit_code, "stdout": stdout, "out_of_memory": out_of_memory}
    answer: dict[str, Any] = airflow.ask("judge", ends=[end])[0]
    return answer


@pytest.mark.parametrize(
    "stdout",
    [
        f"{RESULT}\n",
        f"a line of a library\n{RESULT}\n",
        f"{RESULT}\n12\nand another after it\n",
        f"{json.dumps({'progress': 1})}\n{RESULT}\n\n",
    ],
    ids=["alone", "after_text", "before_text", "after_json"],
)
def test_the_last_json_object_on_stdout_is_the_result(airflow: Airflow, stdout: str) -> None:
    assert outcome_of(airflow, 0, stdout) == {"result": DONE}


@pytest.mark.parametrize("stdout", ["", "done\n", "12\n", '["list"]\n', RESULT[:-1]])
def test_success_without_a_result_fails_immediately(airflow: Airflow, stdout: str) -> None:
    assert outcome_of(airflow, 0, stdout) == {
        "error": "StageFailed",
        "message": f"{STAGE}: succeeded without a result line, expected one JSON object on stdout",
        "fails_without_retry": True,
    }


def test_an_expected_failure_fails_immediately_with_the_line_of_the_stage(airflow: Airflow) -> None:
    assert outcome_of(airflow, 1, FAILURE) == {
        "error": "StageFailed",
        "message": f"{STAGE}: products: missing, expected productos",
        "fails_without_retry": True,
    }


@pytest.mark.parametrize("stdout", ["", "half a li", RESULT])
def test_an_unexpected_error_fails_immediately_and_points_to_the_log(airflow: Airflow, stdout: str) -> None:
    outcome = outcome_of(airflow, 1, stdout)
    assert outcome["message"] == f"{STAGE}: failed with an unexpected error; see the log above"
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)


def test_refused_arguments_fail_immediately(airflow: Airflow) -> None:
    outcome = outcome_of(airflow, 2, "")
    assert outcome["message"] == f"{STAGE}: refused its arguments; see the log above"
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)


@pytest.mark.parametrize("exit_code", [1, 137])
def test_running_out_of_memory_is_reported_and_retried(airflow: Airflow, exit_code: int) -> None:
    outcome = outcome_of(airflow, exit_code, "", out_of_memory=True)
    assert outcome["message"] == f"{STAGE}: out of memory; raise memory_gib in dags/sodai_dag/resources.py"
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageOutOfMemory", False)


@pytest.mark.parametrize(
    ("exit_code", "how"),
    [
        (137, "killed"),
        (-9, "killed"),
        (143, "ended with exit code 143"),
        (-15, "ended with exit code -15"),
        (139, "ended with exit code 139"),
        (255, "ended with exit code 255"),
    ],
)
@pytest.mark.parametrize("stdout", ["", RESULT])
def test_a_stage_that_is_lost_is_retried_whatever_it_wrote(
    airflow: Airflow, exit_code: int, how: str, stdout: str
) -> None:
    outcome = outcome_of(airflow, exit_code, stdout)
    assert outcome["message"] == f"{STAGE}: {how} before writing a result; see the log above"
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
