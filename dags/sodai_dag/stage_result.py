"""The end of a stage: its result, or an error that says whether a retry can help."""

import json
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

EXIT_EXPECTED, EXIT_USAGE = 1, 2
EXIT_KILLED = 137


class StageFailed(AirflowFailException):
    """The stage reports why it cannot be done; a retry would end the same, so the task fails immediately."""


class StageLost(AirflowException):
    """The stage ended without a result: killed, crashed, or its engine gone. A retry may help."""


class StageOutOfMemory(StageLost):
    """The stage was killed because it ran out of memory."""


def result_of(stage: str, exit_code: int, stdout: str, out_of_memory: bool = False) -> dict[str, Any]:
    """Return the JSON result that a stage wrote to stdout.

    Args:
        stage: task id.
        exit_code: of its process or container; negative for a signal.
        stdout: everything that it wrote there.
        out_of_memory: whether the engine reports that it was killed for its memory.

    Raises:
        StageFailed: a failure that the stage reports (exit 1), an unexpected error (exit 1 without a
            result), refused arguments (exit 2), or success without a result.
        StageOutOfMemory: killed for its memory.
        StageLost: any other end.
    """
    result = _last_json_line(stdout)
    if exit_code == 0 and result is not None:
        return result
    if exit_code == 0:
        raise StageFailed(f"{stage}: succeeded without a result line, expected one JSON object on stdout")
    if exit_code == EXIT_EXPECTED and result is not None and "error" in result:
        raise StageFailed(f"{stage}: {result['error']}")
    if exit_code == EXIT_USAGE:
        raise StageFailed(f"{stage}: refused its arguments; see the log above")
    if out_of_memory:
        raise StageOutOfMemory(f"{stage}: out of memory; raise memory_gib in dags/sodai_dag/resources.py")
    if exit_code == EXIT_EXPECTED:
        raise StageFailed(f"{stage}: failed with an unexpected error; see the log above")
    how = "killed" if exit_code in (EXIT_KILLED, -9) else f"ended with exit code {exit_code}"
    raise StageLost(f"{stage}: {how} before writing a result; see the log above")


def _last_json_line(stdout: str) -> dict[str, Any] | None:
    for line in reversed(stdout.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None
