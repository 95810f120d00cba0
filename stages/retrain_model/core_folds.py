"""A fold as LightGBM takes it, and what one set of parameters is worth on it."""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from retrain_model.core_rows import Floats, Fold, kept_lists
from sodai.data.feature_catalog import CATEGORICAL_NAMES

MAX_ROUNDS = 200
PATIENCE = 15
_FIXED = {
    "objective": "binary",
    "metric": "average_precision",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "subsample_freq": 1,
}


@dataclass(frozen=True)
class EncodedRows:
    """Features as numbers (n, 72), target and weight (n,): what passes between processes."""

    X: pd.DataFrame
    y: npt.NDArray[np.int8]
    weight: Floats


@dataclass(frozen=True)
class EncodedFold:
    """Rows to learn from and rows of the tested period."""

    train: EncodedRows
    valid: EncodedRows


@dataclass(frozen=True)
class PreparedFold:
    """A fold whose features are binned once for all trials."""

    train: lightgbm.Dataset
    valid: lightgbm.Dataset


def encode(fold: Fold, encoder: Any, max_tested: int | None = None) -> EncodedFold:
    """A fold with its categories as numbers.

    Args:
        fold: to encode.
        encoder: fitted, from features to numbers.
        max_tested: rows of the tested period to keep, about, in whole lists; all if None.
    """
    train, valid = fold.train, fold.valid
    kept = slice(None) if max_tested is None else kept_lists(valid.group, max_tested)
    return EncodedFold(
        EncodedRows(encoder.transform(train.X), train.y, train.weight),
        EncodedRows(encoder.transform(valid.X[kept]), valid.y[kept], valid.weight[kept]),
    )


def prepare(fold: EncodedFold, threads: int) -> PreparedFold:
    """Bin a fold.

    Args:
        fold: encoded.
        threads: of LightGBM. Their number is one of the whole process: where folds are prepared and
            evaluated side by side, it has to be the same for all.
    """
    params = {**_FIXED, "num_threads": threads}
    train = lightgbm.Dataset(
        fold.train.X,
        fold.train.y,
        weight=fold.train.weight,
        categorical_feature=list(CATEGORICAL_NAMES),
        params=params,
        free_raw_data=False,
    ).construct()
    valid = lightgbm.Dataset(fold.valid.X, fold.valid.y, reference=train, params=params, free_raw_data=False)
    return PreparedFold(train, valid.construct())


def evaluate_fold(
    fold: PreparedFold,
    params: dict[str, Any],
    seed: int,
    threads: int,
    rounds: int = MAX_ROUNDS,
    patience: int = PATIENCE,
) -> tuple[float, int]:
    """Average precision on the tested period, and the number of trees that gave it."""
    booster = lightgbm.train(
        {**_FIXED, **params, "seed": seed, "num_threads": threads},
        fold.train,
        rounds,
        valid_sets=[fold.valid],
        valid_names=["valid"],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    return float(booster.best_score["valid"]["average_precision"]), int(booster.best_iteration)
