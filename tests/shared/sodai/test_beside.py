"""Functions in a process beside this one: where they run, what comes back, and that nothing stays."""

import importlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sodai.beside import beside, importing_pool
from sodai.errors import ModelError

APART = """
import os, time
from sodai.errors import ModelError

def where():
    return os.getpid()

def add(first, second):
    return first + second

def refuse(text):
    raise ModelError(text)

def work(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass
"""


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that this process has not imported; the name is its own, as modules stay."""
    name = f"apart_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(APART)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_it_runs_in_another_process_which_alone_imports_the_module(apart: str) -> None:
    with beside(apart, "where") as where:
        first, second = where(), where()
    assert first == second != os.getpid()
    assert apart not in sys.modules


def test_arguments_go_there_and_errors_come_back(apart: str) -> None:
    with beside(apart, "add") as add:
        assert add([1], [2]) == [1, 2]
    with beside(apart, "refuse") as refuse, pytest.raises(ModelError, match="version 3: not readable"):
        refuse("version 3: not readable")


def test_a_module_that_is_imported_already_runs_here(apart: str) -> None:
    __import__(apart)
    with beside(apart, "where") as where:
        assert where() == os.getpid()


def test_a_module_that_cannot_be_imported_is_told_by_the_call() -> None:
    with (
        beside("no_such_module", "where") as where,
        pytest.raises(ModuleNotFoundError, match="no_such_module"),
    ):
        where()


def test_the_time_of_workers_is_that_of_children_afterwards(apart: str) -> None:
    def of_children() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = of_children()
    with importing_pool(apart, n_workers=2) as pool:
        for job in [pool.submit(importlib.import_module(apart).work, 0.5) for _ in range(2)]:
            job.result()
    assert of_children() - before >= 1.0


def test_nothing_outlives_a_process_that_was_killed(apart: str, tmp_path: Path) -> None:
    code = f"""
import os, signal
from sodai.beside import beside
with beside({apart!r}, "where") as where:
    print(where(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    # Their output ends when the last that holds it does, worker and watchers of shared memory among them.
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert int(ended.stdout) > 0
