"""A process of Airflow's environment that answers the tests of a session, and volumes after some stages."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from make_commands.run import airflow_environment
from sodai_dag.parameters import RUN_PARAMETERS
from sodai_dag.settings import ROOT
from support.sales_data import make_raw
from support.week import start_stage

PARAMS = {**{parameter.name: parameter.default for parameter in RUN_PARAMETERS}, "trials": 2}


class Airflow:
    """Asks `probe.py`, which runs in Airflow's environment."""

    def __init__(self, home: Path) -> None:
        self.log = home / "probe.log"
        # Separate from stdout, where Airflow may print while it is imported.
        read_end, write_end = os.pipe()
        self.answers = os.fdopen(read_end, encoding="utf-8")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                # -P: next to probe.py are packages of tests with the names of those that it imports.
                [
                    ROOT / ".venv-airflow/bin/python",
                    "-P",
                    Path(__file__).with_name("probe.py"),
                    str(write_end),
                ],
                env=airflow_environment(home, str(home / "volume"), "process"),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[write_end],
                text=True,
            )
        os.close(write_end)
        self.n_questions = 0

    def ask(self, question: str, env: dict[str, str] | None = None, **arguments: Any) -> Any:
        """Return the answer to a question."""
        self.begin(question, env, **arguments)
        return self.answer()

    def begin(self, question: str, env: dict[str, str] | None = None, **arguments: Any) -> None:
        """Ask a question whose answer takes a while.

        Args:
            env: variables that differ from the environment of the process.
        """
        assert self.process.stdin is not None
        self.n_questions += 1
        line = {"number": self.n_questions, "ask": question, "env": env or {}, "with": arguments}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Return the answer to the newest question; skip answers that a failed test did not wait for."""
        for line in self.answers:
            answer = json.loads(line)
            if answer["number"] == self.n_questions:
                return answer["answer"]
        raise AssertionError(self.log.read_text())

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.answers.close()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """The process that answers for Airflow."""
    process = Airflow(tmp_path_factory.mktemp("airflow"))
    yield process
    process.end()


@dataclass(frozen=True)
class Week:
    """The root of a volume, and the first day to predict there."""

    root: Path
    as_of: str

    @property
    def being_written(self) -> bool:
        """Return whether a stage is in the middle of its work."""
        return any(self.root.glob(".attempts/*/*"))


@pytest.fixture(scope="session")
def loaded_week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A small volume after extract_and_validate_data, ready for create_features; not to be written to."""
    root = tmp_path_factory.mktemp("loaded_week")
    as_of = make_raw(root / "raw", n_customers=12, n_products=10, n_weeks=12).as_of.isoformat()
    process = start_stage("extract_and_validate_data", root, as_of)
    _, log = process.communicate()
    assert process.returncode == 0, log
    return Week(root, as_of)


@pytest.fixture
def week(loaded_week: Week, tmp_path: Path) -> Week:
    """A copy of `loaded_week` that a test may write to."""
    shutil.copytree(loaded_week.root, tmp_path / "volume")
    return Week(tmp_path / "volume", loaded_week.as_of)


def wait_until(condition: Callable[[], Any]) -> Any:
    """Return what `condition` returns once it is true; fail after a minute."""
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end, f"{condition} is still false"
        time.sleep(0.02)
    return value


def is_running(process: int) -> bool:
    """Return whether a process exists and is no zombie; an orphan is one until its new parent reaps it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
