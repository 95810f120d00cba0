"""Threads and worker processes: the order of results, errors, and what is left at the end."""

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

MODULE = """
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
def worker_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that this process has not imported, another one in each test."""
    name = f"worker_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_the_function_runs_in_a_worker_process_and_only_that_imports_the_module(worker_module: str) -> None:
    with run_in_process(worker_module, "where") as where:
        first, second = where(), where()
    assert first == second != os.getpid()
    assert worker_module not in sys.modules


def test_arguments_and_errors_cross_between_the_processes(worker_module: str) -> None:
    with run_in_process(worker_module, "add") as add:
        assert add([1], [2]) == [1, 2]
    with (
        run_in_process(worker_module, "refuse") as refuse,
        pytest.raises(ModelError, match=r"^version 3: not readable"),
    ):
        refuse("version 3: not readable")


def test_a_function_of_an_imported_module_runs_here(worker_module: str) -> None:
    __import__(worker_module)
    with run_in_process(worker_module, "where") as where:
        assert where() == os.getpid()


def test_a_module_that_cannot_be_imported_raises_in_the_call() -> None:
    with (
        run_in_process("no_such_module", "where") as where,
        pytest.raises(ModuleNotFoundError, match="no_such_module"),
    ):
        where()


def test_the_cpu_time_of_workers_counts_as_that_of_children(worker_module: str) -> None:
    def children_seconds() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = children_seconds()
    with warm_process_pool(worker_module, n_workers=2) as pool:
        for job in [pool.submit(importlib.import_module(worker_module).work, 0.5) for _ in range(2)]:
            job.result()
    assert children_seconds() - before >= 1.0


def test_no_worker_outlives_a_process_that_was_killed(worker_module: str, tmp_path: Path) -> None:
    code = f"""
import os, signal
from sodai.runtime.concurrency import run_in_process
with run_in_process({worker_module!r}, "where") as where:
    print(where(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    # stdout closes when the last process that has it ends, which includes workers and resource trackers.
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
def test_prefetched_results_come_in_order_and_few_items_are_taken_ahead(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    def slow_first(number: int) -> int:
        # Later items take less time.
        time.sleep(0.002 * (9 - number))
        return 10 * number

    results = []
    for number, each in enumerate(prefetch_map(slow_first, items(), threads)):
        results.append(each)
        assert len(taken) <= number + 1 + threads
    assert results == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert list(prefetch_map(slow_first, [], threads)) == []


def test_as_many_calls_run_in_parallel_as_there_are_threads() -> None:
    barrier = threading.Barrier(3, timeout=30)
    assert sorted(prefetch_map(lambda _: barrier.wait(), range(3), threads=3)) == [0, 1, 2]


def test_an_error_is_raised_after_the_results_before_it() -> None:
    def fail_on_two(number: int) -> int:
        if number == 2:
            raise ContractError("not in order")
        return number

    results = prefetch_map(fail_on_two, range(9))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ContractError, match="not in order"):
        next(results)


def test_an_error_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise ContractError("not in order")

    with pytest.raises(ContractError, match="not in order"):
        list(prefetch_map(str, items()))
