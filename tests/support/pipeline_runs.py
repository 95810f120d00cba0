"""The whole pipeline on synthetic data, run as `make run` does: Airflow, real stages, a volume of its own."""

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

from make_commands.input_volume import add_input, open_volume
from sodai_dag.parameters import RUN_PARAMETERS
from sodai_dag.settings import ROOT
from support.sales_data import make_raw
from support.staged_run import StageEnd, run_here, run_stages
from support.week import files_of

# Every week beyond the twelfth is one more period to learn from, for which each run computes features.
N_CUSTOMERS, N_PRODUCTS, N_WEEKS, N_TRIALS = 30, 16, 14, 3
DROP = "transacciones_{monday}.parquet"
PROCESS, DOCKER = "process", "docker"


@dataclass(frozen=True)
class Run:
    """The end of a run: its exit code and its output."""

    code: int
    stdout: str
    stderr: str

    @property
    def skipped(self) -> list[str]:
        """Return the tasks that it printed as skipped because nothing changed, in order."""
        return re.findall(r"^  (\w+) +[\d.]+ s  skipped, nothing changed$", self.stdout, flags=re.MULTILINE)

    @property
    def tasks(self) -> list[str]:
        """Return the tasks that it printed as ended, in order."""
        return re.findall(r"^  (\w+(?: \d+)?) +[\d.]+ s\b", self.stdout, flags=re.MULTILINE)


@dataclass(frozen=True)
class History:
    """Raw folders of synthetic data: the weeks before the last, and the same with the last as a new file.

    `as_of` is the first day after the weeks of `before`, `next_as_of` the one after the last week.
    """

    before: Path
    after: Path
    as_of: date
    next_as_of: date

    @property
    def drop(self) -> Path:
        """Return the file of the last week."""
        return self.after / DROP.format(monday=self.as_of)


@dataclass(frozen=True)
class TwoWeeks:
    """A volume after two weeks, the second with the next drop; not to be written to.

    `again` is a second run of the first week, with nothing changed. `after_first` and `after_again` are the
    files after these runs, path below the root -> content, without MLflow's.
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
    raw = make_raw(folder / "after", N_CUSTOMERS, N_PRODUCTS, N_WEEKS, n_drops=1)
    monday = raw.as_of - timedelta(weeks=1)
    shutil.copytree(raw.folder, folder / "before", ignore=shutil.ignore_patterns(DROP.format(monday=monday)))
    return History(folder / "before", raw.folder, monday, raw.as_of)


def make_two_weeks(history: History, root: Path) -> TwoWeeks:
    """Run the pipeline twice for the first week and once for the next, on the volume `root`."""
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
    """The ends of the stages of a run, in order."""

    ends: list[StageEnd]

    @property
    def ran(self) -> list[str]:
        """Return the stages that had something to do."""
        return [end.stage for end in self.ends if not end.result.get("skipped")]

    @property
    def skipped(self) -> list[str]:
        """Return the stages for which nothing had changed."""
        return [end.stage for end in self.ends if end.result.get("skipped")]

    @property
    def error(self) -> str:
        """Return stage and line of the failure, empty without one."""
        last = self.ends[-1]
        return f"{last.stage}: {last.result['error']}" if last.code else ""


def run_without_airflow(data: Path, root: Path, as_of: str = "auto", **params: Any) -> StagedRun:
    """Run the stages of a run in this process, which saves the start of Airflow and of nine processes."""
    add_input(open_volume(str(root)), data)
    defaults = {parameter.name: parameter.default for parameter in RUN_PARAMETERS}
    return StagedRun(
        list(run_stages(partial(run_here, root), as_of, {**defaults, "trials": N_TRIALS, **params}))
    )


def start_pipeline(
    data: Path, root: Path | str, *options: str, runner: str = PROCESS, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start the pipeline in a process group of its own.

    Args:
        root: folder or URL of the volume.
        env: variables that differ from the environment of the tests.
    """
    command = [ROOT / ".venv-airflow/bin/python", "-P", "-m", "make_commands.run", "--runner", runner]
    return subprocess.Popen(
        [*command, "--data", data, "--out", root, "--trials", str(N_TRIALS), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "dags"), **(env or {})},
        start_new_session=True,
    )


def kill_hard(process: "subprocess.Popen[str]") -> None:
    """End a run like a power cut: kill Airflow and the running stage without warning."""
    for pid in _family(process.pid):
        with suppress(ProcessLookupError):  # it has ended, or was killed with its group
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    process.communicate()


def kill_stage(process: "subprocess.Popen[str]") -> None:
    """Kill the running stage of a run, and nothing else of the run."""
    (stage,) = stages_of(process)
    os.killpg(stage, signal.SIGKILL)


def stages_of(process: "subprocess.Popen[str]") -> list[int]:
    """Return the processes of the running stages of a run, which lead process groups of their own."""
    return [pid for pid in _family(process.pid)[1:] if os.getpgid(pid) == pid]


def wait_for(pattern: str, root: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a file below `root` matches, while the run continues."""
    end = time.monotonic() + 300
    while not any(root.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"no file matches {pattern}"
        time.sleep(0.02)


def task_states(root: Path) -> dict[str, str]:
    """Return the state of each task of the newest run, from Airflow's database."""
    query = (
        "SELECT task_id, state FROM task_instance WHERE run_id = "
        "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)"
    )
    with closing(sqlite3.connect(root / ".airflow/airflow.db")) as database:
        return dict(database.execute(query).fetchall())


def aliases(root: Path) -> dict[str, str]:
    """Return the versions of the registered model of a volume by alias."""
    with closing(sqlite3.connect(root / "mlflow/mlflow.db")) as database:
        rows = database.execute("SELECT alias, version FROM registered_model_aliases").fetchall()
    return {alias: str(version) for alias, version in rows}


def results_of(root: Path, *folders: str) -> dict[str, bytes]:
    """Return the files of a volume, except Airflow's, MLflow's, logs and records of skipped runs.

    Args:
        folders: only these, below the root; all if none is given.
    """
    selected = tuple(f"{folder}/" for folder in folders)
    return {
        path: content
        for path, content in files_of(root).items()
        if not path.startswith((".airflow/", "logs/", ".hashes.json"))
        and not path.endswith("/skipped.json")
        and (not selected or path.startswith(selected))
    }


def _family(pid: int) -> list[int]:
    """Return a process and its descendants that still run."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = [pid]
    for member in family:
        family.extend(child for child, parent in parents.items() if parent == member)
    return family
