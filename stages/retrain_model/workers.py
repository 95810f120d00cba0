"""Processes that score parameters on folds, one thread each: small fits gain little from a second thread."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrain_model.core_folds import EncodedFold, PreparedFold, evaluate_fold, prepare
from sodai.runtime.concurrency import warm_process_pool

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
    with warm_process_pool(__name__, n_workers) as pool:

        def score_on(folds: Sequence[EncodedFold], seed: int) -> Score:
            files = [folder / str(number) for number in range(len(folds))]
            for file, fold in zip(files, folds, strict=True):
                file.write_bytes(pickle.dumps(fold))
            return lambda params, fold: pool.submit(_score, files[fold], seed, params)

        yield score_on


def _score(file: Path, seed: int, params: dict[str, Any]) -> float:
    if file not in _prepared:
        _prepared[file] = prepare(pickle.loads(file.read_bytes()), threads=1)
    value, _ = evaluate_fold(_prepared[file], params, seed, threads=1)
    return value
