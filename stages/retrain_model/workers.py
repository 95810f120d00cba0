"""Processes that score parameters on folds, one thread each: small fits gain little from a second thread."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

from retrain_model.core_folds import EncodedFold, PreparedFold, evaluate_fold, prepare

# Parameters and the number of a fold, to the value that they have there.
Score = Callable[[dict[str, Any], int], "Future[float]"]

_folds: list[PreparedFold] = []


@contextmanager
def fold_workers(folds: Sequence[EncodedFold], seed: int, n_workers: int) -> Iterator[Score]:
    """Worker processes that hold the folds; what they were not yet asked for is dropped at the end.

    Args:
        folds: to test on.
        seed: of LightGBM.
        n_workers: processes at most; they start when there is work for them.
    """
    # A fork would copy the threads' locks of LightGBM and Arrow, held or not.
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), initializer=_start, initargs=(list(folds),))

    def score(params: dict[str, Any], fold: int) -> "Future[float]":
        return pool.submit(_score, seed, params, fold)

    try:
        yield score
    finally:
        pool.shutdown(cancel_futures=True)


def _start(folds: list[EncodedFold]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _folds[:] = [prepare(fold) for fold in folds]


def _score(seed: int, params: dict[str, Any], fold: int) -> float:
    value, _ = evaluate_fold(_folds[fold], params, seed, threads=1)
    return value


def _end_with_parent() -> None:
    """A stage that was killed hard cannot end its workers, and they would wait for it for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
