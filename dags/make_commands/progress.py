"""The progress of a run, printed as its tasks end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO


@dataclass(frozen=True)
class TaskEnd:
    """The end of one try of a task.

    Attributes:
        task: task id, with the index of a mapped task.
        seconds: wall time of the try.
        result: JSON result of its stage; None without a stage, or without a result.
        error: one line if the try failed; None if it succeeded.
    """

    task: str
    seconds: float
    result: Mapping[str, Any] | None = None
    error: str | None = None


class Progress:
    """Prints one line for each try of a task, and keeps the results and errors of the newest tries."""

    def __init__(self, output: TextIO) -> None:
        self.results: dict[str, Mapping[str, Any]] = {}
        self._output = output
        self._errors: dict[str, str] = {}

    @property
    def error(self) -> str | None:
        """Return the error of a task whose newest try failed; None if there is none."""
        return next(iter(self._errors.values()), None)

    def add(self, end: TaskEnd) -> None:
        """Print the end of a try."""
        note = ""
        self._errors.pop(end.task, None)
        if end.error is not None:
            self._errors[end.task] = end.error
            note = "  failed"
        elif end.result is not None:
            self.results[end.task] = end.result
            note = "  skipped, nothing changed" if end.result.get("skipped") else ""
        print(f"  {end.task:<28} {end.seconds:6.1f} s{note}", file=self._output, flush=True)
