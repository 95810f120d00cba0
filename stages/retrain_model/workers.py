"""Worker processes that score parameters on folds, one thread each: small fits gain little from a second."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrain_model.core_lightgbm_fold import BinnedFold, bin_fold, evaluate_fold
from retrain_model.core_training_set import Fold
from sodai.runtime.concurrency import warm_process_pool

# Takes parameters and the number of a fold.
Score = Callable[[dict[str, Any], int], "Future[float]"]
# Takes the encoded folds and the seed of LightGBM.
ScoreOn = Callable[[Sequence[Fold], int], Score]

_binned: dict[Path, BinnedFold] = {}


@contextmanager
def fold_workers(n_workers: int, folder: Path) -> Iterator[ScoreOn]:
    """Start worker processes, and yield a function that hands folds to them.

    They import while the caller prepares the folds. Scores that wait at the end are cancelled.

    Args:
        n_workers: number of processes.
        folder: an empty folder through which the workers get the folds.
    """
    with warm_process_pool(__name__, n_workers) as pool:

        def score_on(folds: Sequence[Fold], seed: int) -> Score:
            files = [folder / str(number) for number in range(len(folds))]
            for file, fold in zip(files, folds, strict=True):
                file.write_bytes(pickle.dumps(fold))
            return lambda params, fold: pool.submit(_score, files[fold], seed, params)

        yield score_on


def _score(file: Path, seed: int, params: dict[str, Any]) -> float:
    if file not in _binned:
        _binned[file] = bin_fold(pickle.loads(file.read_bytes()), threads=1)
    score, _ = evaluate_fold(_binned[file], params, seed, threads=1)
    return score
