"""What the end of a stage means: its result, or an error that is worth a retry or is not."""

import json
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

EXIT_EXPECTED, EXIT_USAGE = 1, 2
EXIT_KILLED = 137
# What `make run` finds the period by, whichever operator logs it.
RESULT_LINE = "period to predict: %s, result: %s"


class StageFailed(AirflowFailException):
    """The stage says why it cannot be done; a retry would say the same, so the task fails at once."""


class StageLost(AirflowException):
    """The stage ended without a result: killed, crashed, or its engine gone. A retry may help."""


class StageOutOfMemory(StageLost):
    """The stage was killed for its memory."""


def result_of(stage: str, exit_code: int, stdout: str, out_of_memory: bool = False) -> dict[str, Any]:
    """The JSON result that a stage wrote to stdout.

    Args:
        stage: task id.
        exit_code: of its process or container; negative for a signal.
        stdout: all that it wrote there.
        out_of_memory: whether the engine says that it was killed for its memory.

    Raises:
        StageFailed: a failure that the stage tells (exit 1), an error that it did not expect (exit 1
            without a result), a wrong call (exit 2), or success without a result.
        StageOutOfMemory: killed for its memory.
        StageLost: any other end.
    """
    result = _last_json_line(stdout)
    if exit_code == 0 and result is not None:
        return result
    if exit_code == 0:
        raise StageFailed(f"{stage}: ended well without a result line, expected one JSON object on stdout")
    if exit_code == EXIT_EXPECTED and result is not None and "error" in result:
        raise StageFailed(f"{stage}: {result['error']}")
    if exit_code == EXIT_USAGE:
        raise StageFailed(f"{stage}: refused its arguments; the log above says which")
    if out_of_memory:
        raise StageOutOfMemory(f"{stage}: killed for its memory; raise memory_gib in dags/sodai_resources.py")
    if exit_code == EXIT_EXPECTED:
        raise StageFailed(f"{stage}: ended with an error it did not expect; the log above has it")
    how = "killed" if exit_code in (EXIT_KILLED, -9) else f"ended with exit code {exit_code}"
    raise StageLost(f"{stage}: {how} without a result; the log above has its last words")


def _last_json_line(stdout: str) -> dict[str, Any] | None:
    for line in reversed(stdout.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None
