"""The whole pipeline on made data, run as `make run` does: Airflow, real stages, a volume of its own."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from run_volume import ROOT, bring, run_volume
from support.sales_data import make_raw
from support.staged_run import StageEnd, run_here, run_stages
from support.week import files_of

# Every week beyond the twelfth is one more period to learn from, which each run makes features of.
N_CUSTOMERS, N_PRODUCTS, N_WEEKS, N_TRIALS = 30, 16, 14, 3
DROP = "transacciones_{monday}.parquet"
PROCESS, DOCKER = "process", "docker"


@dataclass(frozen=True)
class Run:
    """How a run ended: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def skipped(self) -> list[str]:
        """The tasks that it said were skipped because nothing changed, in their order."""
        return re.findall(r"^  (\w+) +[\d.]+ s  skipped, nothing changed$", self.stdout, flags=re.MULTILINE)

    @property
    def tasks(self) -> list[str]:
        """The tasks that it printed as ended, in their order."""
        return re.findall(r"^  (\w+(?: \d+)?) +[\d.]+ s\b", self.stdout, flags=re.MULTILINE)


@dataclass(frozen=True)
class History:
    """Raw folders of made data: the weeks before the last, and the same with the last as a new file.

    `as_of` is the first day after the weeks of `before`, `next_as_of` the one after the last week.
    """

    before: Path
    after: Path
    as_of: date
    next_as_of: date

    @property
    def drop(self) -> Path:
        """The file of the last week."""
        return self.after / DROP.format(monday=self.as_of)


@dataclass(frozen=True)
class TwoWeeks:
    """A volume after two weeks, the second with the next drop; not to be written to.

    `again` is the first week's run once more, with nothing changed. `after_first` and `after_again` are
    what the runs left: path below the root -> content, but MLflow's.
    """

    root: Path
    history: History
    first: Run
    again: Run
    second: Run
    after_first: dict[str, bytes] = field(repr=False)
    after_again: dict[str, bytes] = field(repr=False)


def make_history(folder: Path) -> History:
    """Write the raw folders of `History` into `folder`."""
    made = make_raw(folder / "after", N_CUSTOMERS, N_PRODUCTS, N_WEEKS, n_drops=1)
    monday = made.as_of - timedelta(weeks=1)
    shutil.copytree(made.folder, folder / "before", ignore=shutil.ignore_patterns(DROP.format(monday=monday)))
    return History(folder / "before", made.folder, monday, made.as_of)


def make_two_weeks(history: History, root: Path) -> TwoWeeks:
    """Run the pipeline for the first week, for it again, and for the next, on the volume `root`."""
    first = run_pipeline(history.before, root)
    after_first = results_of(root)
    again = run_pipeline(history.before, root)
    after_again = results_of(root)
    second = run_pipeline(history.after, root)
    return TwoWeeks(root, history, first, again, second, after_first, after_again)


def run_pipeline(
    data: Path, root: Path | str, *options: str, runner: str = PROCESS, env: Mapping[str, str] | None = None
) -> Run:
    """Run the pipeline to its end."""
    process = start_pipeline(data, root, *options, runner=runner, env=env)
    stdout, stderr = process.communicate()
    return Run(process.returncode, stdout, stderr)


@dataclass(frozen=True)
class StagedRun:
    """How the stages of a run ended, in their order."""

    ends: list[StageEnd]

    @property
    def ran(self) -> list[str]:
        """The stages that had something to do."""
        return [end.stage for end in self.ends if not end.result.get("skipped")]

    @property
    def skipped(self) -> list[str]:
        """The stages for which nothing had changed."""
        return [end.stage for end in self.ends if end.result.get("skipped")]

    @property
    def error(self) -> str:
        """Stage and line of the failure, empty without one."""
        last = self.ends[-1]
        return f"{last.stage}: {last.result['error']}" if last.code else ""


def run_without_airflow(data: Path, root: Path, as_of: str = "auto", **params: Any) -> StagedRun:
    """Run the stages of a run in this process: starting Airflow and nine processes takes longer than they."""
    bring(run_volume(str(root)), data)
    usual = {"horizon_days": 7, "trials": N_TRIALS, "k": 10, "force_retrain": False, "force": False}
    return StagedRun(list(run_stages(partial(run_here, root), as_of, {**usual, **params})))


def start_pipeline(
    data: Path, root: Path | str, *options: str, runner: str = PROCESS, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start the pipeline in a process group of its own.

    Args:
        root: of the volume, a folder or a URL.
        env: variables that differ from the environment of the tests.
    """
    command = [ROOT / ".venv-airflow/bin/python", ROOT / "dags/run_pipeline.py", "--runner", runner]
    return subprocess.Popen(
        [*command, "--data", data, "--out", root, "--trials", str(N_TRIALS), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )


def kill_hard(process: "subprocess.Popen[str]") -> None:
    """End a run like a power cut: it, Airflow and the stage at work, without a word to any of them."""
    for pid in _family(process.pid):
        with suppress(ProcessLookupError):  # it has ended by itself, or with its group
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    process.communicate()


def kill_stage(process: "subprocess.Popen[str]") -> None:
    """End the stage that a run has at work, and nothing else of the run."""
    *_, stage = (pid for pid in _family(process.pid) if os.getpgid(pid) == pid)
    assert stage != process.pid
    os.killpg(stage, signal.SIGKILL)


def wait_for(pattern: str, root: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a file below `root` matches while the run goes on."""
    end = time.monotonic() + 300
    while not any(root.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{pattern} does not come"
        time.sleep(0.02)


def task_states(root: Path) -> dict[str, str]:
    """How each task of the newest run ended, as Airflow's own database has it."""
    query = (
        "SELECT task_id, state FROM task_instance WHERE run_id = "
        "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)"
    )
    with closing(sqlite3.connect(root / ".airflow/airflow.db")) as database:
        return dict(database.execute(query).fetchall())


def aliases(root: Path) -> dict[str, str]:
    """Alias -> version of the registered model of a volume."""
    with closing(sqlite3.connect(root / "mlflow/mlflow.db")) as database:
        rows = database.execute("SELECT alias, version FROM registered_model_aliases").fetchall()
    return {alias: str(version) for alias, version in rows}


def results_of(root: Path, *folders: str) -> dict[str, bytes]:
    """Files of the volume and their content, but Airflow's, MLflow's, the logs and what skipping leaves.

    Args:
        folders: only these, below the root; all if none is given.
    """
    found = files_of(root)
    wanted = tuple(f"{folder}/" for folder in folders)
    return {
        path: content
        for path, content in found.items()
        if not path.startswith((".airflow/", "logs/", ".hashes.json"))
        and not path.endswith("/skipped.json")
        and (not wanted or path.startswith(wanted))
    }


def _family(pid: int) -> list[int]:
    """A process and all that it started, as far as they still run."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = [pid]
    for member in family:
        family.extend(child for child, parent in parents.items() if parent == member)
    return family
