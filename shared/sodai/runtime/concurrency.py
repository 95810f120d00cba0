"""Parallel work in threads and in worker processes.

Threads are for NumPy, Arrow, LightGBM and DuckDB, which release Python's global lock. Imports of large
libraries hold the lock for seconds, so they run in a process.
"""

import importlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from sodai.runtime.limits import tune_gc_for_imports

S = TypeVar("S")
T = TypeVar("T")


def prefetch_map(function: Callable[[S], T], items: Iterable[S], threads: int = 1) -> Iterator[T]:
    """Yield the function's result for each item, in order, computed by threads ahead of the caller.

    Args:
        function: called in a thread.
        items: read in the caller's thread; at most one more than there are threads is in work.
        threads: number of threads.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        results = deque(pool.submit(function, item) for item in islice(remaining, threads + 1))
        while results:
            yield results.popleft().result()
            results.extend(pool.submit(function, item) for item in islice(remaining, 1))


@contextmanager
def warm_process_pool(module: str, n_workers: int = 1) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes that import a module right away; calls that wait at the end are cancelled.

    Args:
        module: name of the module.
        n_workers: number of processes.
    """
    # "fork" would copy the locks of LightGBM's and Arrow's threads in whatever state they are; children of a
    # "forkserver" are not this process's own, so its CPU time and memory would not include theirs.
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), initializer=_start)
    for _ in range(n_workers):
        pool.submit(_import, module)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def run_in_process(module: str, function: str) -> Iterator[Callable[..., Any]]:
    """Return a function that runs in a worker process, which imports its module in parallel to this one.

    If this process has already imported the module, the function runs here. Otherwise arguments, result and
    exception are pickled.

    Args:
        module: name of the module.
        function: name of the function in it.
    """
    if module in sys.modules:
        yield getattr(sys.modules[module], function)
        return
    with warm_process_pool(module) as pool:
        yield lambda *arguments: pool.submit(_call, module, function, arguments).result()


def _start() -> None:
    tune_gc_for_imports()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _import(module: str) -> None:
    importlib.import_module(module)


def _call(module: str, function: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(importlib.import_module(module), function)(*arguments)


def _end_with_parent() -> None:
    # A stage that was killed cannot end its workers, which would wait for it for ever.
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
