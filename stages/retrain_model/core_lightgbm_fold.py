"""One fold in the form that LightGBM takes, and the score of parameters on it."""

from dataclasses import dataclass, replace
from typing import Any

import lightgbm

from retrain_model.core_training_set import Fold, Rows, sample_groups
from sodai.data.feature_catalog import CATEGORICAL_NAMES

MAX_ROUNDS = 200
PATIENCE = 15
_FIXED = {
    "objective": "binary",
    "metric": "average_precision",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    # Trials share the bins but differ in min_child_samples, from which LightGBM would drop features.
    "feature_pre_filter": False,
    "subsample_freq": 1,
}


@dataclass(frozen=True)
class BinnedFold:
    """A fold whose features are binned once for all trials."""

    train: lightgbm.Dataset
    valid: lightgbm.Dataset


def encode_fold(fold: Fold, encoder: Any, max_valid_rows: int | None = None) -> Fold:
    """Return a fold with its categories as numbers.

    Args:
        fold: the fold to encode.
        encoder: fitted, see `fit_encoder`.
        max_valid_rows: rows to test on, about, in whole groups; all if None.
    """
    train, valid = fold.train, fold.valid
    kept = slice(None) if max_valid_rows is None else sample_groups(valid.group, max_valid_rows)
    return Fold(
        fold.cutoff,
        replace(train, X=encoder.transform(train.X)),
        Rows(encoder.transform(valid.X[kept]), valid.y[kept], valid.weight[kept], valid.group[kept]),
    )


def bin_fold(fold: Fold, threads: int) -> BinnedFold:
    """Bin the features of a fold.

    Args:
        fold: encoded.
        threads: of LightGBM, which has one number for the whole process: folds that are binned and evaluated
            in parallel must use the same.
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
    return BinnedFold(train, valid.construct())


def evaluate_fold(
    fold: BinnedFold,
    params: dict[str, Any],
    seed: int,
    threads: int,
    rounds: int = MAX_ROUNDS,
    patience: int = PATIENCE,
) -> tuple[float, int]:
    """Return the best average precision on the tested period and the number of trees that reached it.

    Args:
        fold: binned.
        params: of LightGBM.
        seed: of LightGBM.
        threads: of LightGBM, see `bin_fold`.
        rounds: largest number of trees.
        patience: number of trees without improvement after which the training stops.
    """
    booster = lightgbm.train(
        {**_FIXED, **params, "seed": seed, "num_threads": threads},
        fold.train,
        rounds,
        valid_sets=[fold.valid],
        valid_names=["valid"],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    return float(booster.best_score["valid"]["average_precision"]), int(booster.best_iteration)
