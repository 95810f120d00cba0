"""What runs beside a stage's own thread, which uses one core: threads, and processes that import.

Threads for what leaves Python's lock alone, as NumPy, Arrow, LightGBM and DuckDB do; imports hold it for
seconds, and go into a process.
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
    """What a function makes of each item, in their order: while one is worked on, threads make the next.

    Args:
        function: called in a thread.
        items: taken in the caller's thread, one more at once than there are threads.
        threads: how many.
    """
    following = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        ahead = deque(pool.submit(function, item) for item in islice(following, threads + 1))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(function, item) for item in islice(following, 1))


@contextmanager
def warm_process_pool(module: str, n_workers: int = 1) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that begin to import a module at once.

    What they still have to do at the end is dropped. Time and memory of theirs are the children's of this
    process from then on.

    Args:
        module: its name.
        n_workers: processes.
    """
    # A fork of this process would copy the threads' locks of LightGBM and Arrow, held or not; and what a
    # fork server starts is nobody's child whose time is counted.
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), initializer=_start)
    for _ in range(n_workers):
        pool.submit(_import, module)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def run_in_process(module: str, function: str) -> Iterator[Callable[..., Any]]:
    """A function of a module that another process imports meanwhile, and runs there.

    Where the module is imported already, as in a fork of `stage_server`, it runs in this process. Arguments
    and what it gives or raises are pickled on their way.

    Args:
        module: its name.
        function: of the module.
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
    """A stage that was killed hard cannot end its workers, and they would wait for it for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
