"""Processes that score parameters on folds, one thread each: small fits gain little from a second thread."""

import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from retrain_model.core_folds import EncodedFold, PreparedFold, evaluate_fold, prepare

# Parameters and the number of a fold, to the value that they have there.
Score = Callable[[dict[str, Any], int], "Future[float]"]
# Folds to test on and the seed of LightGBM, to what scores parameters on them.
ScoreOn = Callable[[Sequence[EncodedFold], int], Score]

_prepared: dict[Path, PreparedFold] = {}


@contextmanager
def fold_workers(n_workers: int, folder: Path) -> Iterator[ScoreOn]:
    """Worker processes, which import while the caller makes the folds.

    What they still have to do at the end is dropped.

    Args:
        n_workers: processes.
        folder: an empty one, through which they get the folds: there are none yet when they start.
    """
    # A fork of this process would copy the threads' locks of LightGBM and Arrow, held or not. A server that
    # did nothing but import has none, and imports once for all.
    context = get_context("forkserver")
    context.set_forkserver_preload([prepare.__module__])
    pool = ProcessPoolExecutor(n_workers, context, initializer=_start)
    for _ in range(n_workers):
        pool.submit(os.getpid)

    def score_on(folds: Sequence[EncodedFold], seed: int) -> Score:
        files = [folder / str(number) for number in range(len(folds))]
        for file, fold in zip(files, folds, strict=True):
            file.write_bytes(pickle.dumps(fold))
        return lambda params, fold: pool.submit(_score, files[fold], seed, params)

    try:
        yield score_on
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _score(file: Path, seed: int, params: dict[str, Any]) -> float:
    if file not in _prepared:
        _prepared[file] = prepare(pickle.loads(file.read_bytes()), threads=1)
    value, _ = evaluate_fold(_prepared[file], params, seed, threads=1)
    return value


def _end_with_parent() -> None:
    """A stage that was killed hard cannot end its workers, and they would wait for it for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
