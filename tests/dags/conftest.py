"""A process of Airflow's environment that the tests of a session ask, and volumes that stages left."""

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

from run_pipeline import airflow_environment
from run_volume import ROOT
from support.sales_data import make_raw
from support.week import start_stage

PARAMS = {"as_of": None, "horizon_days": 7, "trials": 2, "force_retrain": False, "force": False, "k": 10}


class Airflow:
    """Asks `probe.py`, which runs in Airflow's environment."""

    def __init__(self, home: Path) -> None:
        self.log = home / "probe.log"
        # Apart from stdout, where Airflow may print while it is imported.
        read_end, write_end = os.pipe()
        self.answers = os.fdopen(read_end, encoding="utf-8")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [ROOT / ".venv-airflow/bin/python", Path(__file__).with_name("probe.py"), str(write_end)],
                env=airflow_environment(home, str(home / "volume"), "process"),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[write_end],
                text=True,
            )
        os.close(write_end)
        self.asked = 0

    def ask(self, question: str, env: dict[str, str] | None = None, **arguments: Any) -> Any:
        """The answer to a question."""
        self.begin(question, env, **arguments)
        return self.answer()

    def begin(self, question: str, env: dict[str, str] | None = None, **arguments: Any) -> None:
        """Put a question whose answer takes a while.

        Args:
            env: what differs from the environment of the process.
        """
        assert self.process.stdin is not None
        self.asked += 1
        line = {"number": self.asked, "ask": question, "env": env or {}, "with": arguments}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """The answer to the question put last; those that a broken test did not wait for are passed over."""
        for line in self.answers:
            answer = json.loads(line)
            if answer["number"] == self.asked:
                return answer["answer"]
        raise AssertionError(self.log.read_text())

    def end(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.answers.close()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """The process that answers for Airflow."""
    started = Airflow(tmp_path_factory.mktemp("airflow"))
    yield started
    started.end()


@dataclass(frozen=True)
class Week:
    """The root of a volume, and the first day to predict there."""

    root: Path
    as_of: str

    @property
    def being_written(self) -> bool:
        """Whether a stage is in the middle of its work."""
        return any(self.root.glob(".attempts/*/*"))


@pytest.fixture(scope="session")
def made_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A small volume after extract_and_validate_data, ready for create_features; not to be written to."""
    root = tmp_path_factory.mktemp("made_warehouse")
    as_of = make_raw(root / "raw", n_customers=12, n_products=10, n_weeks=12).as_of.isoformat()
    process = start_stage("extract_and_validate_data", root, as_of)
    _, log = process.communicate()
    assert process.returncode == 0, log
    return Week(root, as_of)


@pytest.fixture
def week(made_warehouse: Week, tmp_path: Path) -> Week:
    """A copy of `made_warehouse` that a test may write to."""
    shutil.copytree(made_warehouse.root, tmp_path / "volume")
    return Week(tmp_path / "volume", made_warehouse.as_of)


def wait_until(true: Callable[[], Any]) -> Any:
    """Whatever `true` gives, once it is true; an error if that takes a minute."""
    end = time.monotonic() + 60
    while not (found := true()):
        assert time.monotonic() < end, f"{true} is still false"
        time.sleep(0.02)
    return found


def running(process: int) -> bool:
    """Whether it is there and no zombie, which an orphan may be until its new parent looks."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
