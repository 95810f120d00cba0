"""What runs in threads and processes beside this one: in which order, what comes back, what stays."""

import importlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sodai.errors import ContractError, ModelError
from sodai.runtime.concurrency import prefetch_map, run_in_process, warm_process_pool

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
    with run_in_process(apart, "where") as where:
        first, second = where(), where()
    assert first == second != os.getpid()
    assert apart not in sys.modules


def test_arguments_go_there_and_errors_come_back(apart: str) -> None:
    with run_in_process(apart, "add") as add:
        assert add([1], [2]) == [1, 2]
    with (
        run_in_process(apart, "refuse") as refuse,
        pytest.raises(ModelError, match=r"^version 3: not readable"),
    ):
        refuse("version 3: not readable")


def test_a_module_that_is_imported_already_runs_here(apart: str) -> None:
    __import__(apart)
    with run_in_process(apart, "where") as where:
        assert where() == os.getpid()


def test_a_module_that_cannot_be_imported_is_told_by_the_call() -> None:
    with (
        run_in_process("no_such_module", "where") as where,
        pytest.raises(ModuleNotFoundError, match="no_such_module"),
    ):
        where()


def test_the_time_of_workers_is_that_of_children_afterwards(apart: str) -> None:
    def of_children() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = of_children()
    with warm_process_pool(apart, n_workers=2) as pool:
        for job in [pool.submit(importlib.import_module(apart).work, 0.5) for _ in range(2)]:
            job.result()
    assert of_children() - before >= 1.0


def test_nothing_outlives_a_process_that_was_killed(apart: str, tmp_path: Path) -> None:
    code = f"""
import os, signal
from sodai.runtime.concurrency import run_in_process
with run_in_process({apart!r}, "where") as where:
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


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_made_ahead_comes_in_order_and_no_more_waits_than_there_are_threads(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    def made(number: int) -> int:
        # The later, the faster.
        time.sleep(0.002 * (9 - number))
        return 10 * number

    found = []
    for number, each in enumerate(prefetch_map(made, items(), threads)):
        found.append(each)
        assert len(taken) <= number + 1 + threads
    assert found == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert list(prefetch_map(made, [], threads)) == []


def test_as_many_are_made_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=30)
    assert sorted(prefetch_map(lambda _: together.wait(), range(3), threads=3)) == [0, 1, 2]


def test_an_error_in_what_is_made_ahead_comes_after_the_items_before_it() -> None:
    def made(number: int) -> int:
        if number == 2:
            raise ContractError("not in order")
        return number

    ahead = prefetch_map(made, range(9))
    assert [next(ahead), next(ahead)] == [0, 1]
    with pytest.raises(ContractError, match="not in order"):
        next(ahead)


def test_an_error_of_the_items_themselves_comes_too() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise ContractError("not in order")

    with pytest.raises(ContractError, match="not in order"):
        list(prefetch_map(str, items()))
