"""The search space, and what one set of parameters is worth on the folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from retrain_model.core_rows import Fold, Lessons
from sodai.features import CATEGORICAL_NAMES
from sodai.model import purchase_pipeline

MAX_ROUNDS = 200
PATIENCE = 15
# A sample of rows asks for fewer trees than all of them: the best trials are held against each other
# once more on many rows, and get their number of trees there.
N_FINALISTS = 3
FINAL_ROUNDS = 500
FINAL_PATIENCE = 25
_FIXED = {
    "objective": "binary",
    "metric": "average_precision",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "subsample_freq": 1,
}


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Parameters of LGBMClassifier for one trial."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 63, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 20, 400, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
    }


@dataclass(frozen=True)
class PreparedFold:
    """A fold whose features are binned once for all trials."""

    train: lightgbm.Dataset
    valid: lightgbm.Dataset


def prepare(fold: Fold, encoder: Any) -> PreparedFold:
    """Bin a fold.

    Args:
        fold: to bin.
        encoder: of `encoder_of`.
    """
    train = lightgbm.Dataset(
        encoder.transform(fold.train.X),
        fold.train.y,
        weight=fold.train.weight,
        categorical_feature=list(CATEGORICAL_NAMES),
        params=_FIXED,
        free_raw_data=False,
    ).construct()
    valid = lightgbm.Dataset(
        encoder.transform(fold.valid.X), fold.valid.y, reference=train, params=_FIXED, free_raw_data=False
    )
    return PreparedFold(train, valid.construct())


def encoder_of(lessons: Lessons) -> Any:
    """What makes numbers of the categories, fitted on every training row."""
    return purchase_pipeline({}, lessons.seed)["encode"].fit(lessons.rows.X)


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


def objective(folds: list[PreparedFold], seed: int, threads: int) -> Callable[[optuna.Trial], float]:
    """Mean average precision over the folds, reported fold by fold so that a poor trial stops early.

    Average precision over all candidates of a period is the area that both the lists and the
    predicted set are cut from; NDCG of the lists alone does not see the volume.
    """

    def value(trial: optuna.Trial) -> float:
        params = suggest(trial)
        scores: list[float] = []
        for step, fold in enumerate(folds):
            score, _ = evaluate_fold(fold, params, seed, threads)
            scores.append(score)
            trial.report(float(np.mean(scores)), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))

    return value


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, held against the others on many rows: its value there and its trees."""

    number: int
    average_precision: float
    params: dict[str, Any]


def finalists(
    trials: Sequence[FrozenTrial], folds: Sequence[PreparedFold], seed: int, threads: int
) -> list[Finalist]:
    """The best completed trials on folds of many rows, best first.

    Args:
        trials: of a study, at least one completed.
        folds: to test on, prepared.
        seed, threads: of LightGBM.
    """
    completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(completed, key=lambda trial: (-(trial.value or 0.0), trial.number))[:N_FINALISTS]
    found = []
    for trial in best:
        results = [
            evaluate_fold(fold, trial.params, seed, threads, FINAL_ROUNDS, FINAL_PATIENCE) for fold in folds
        ]
        scores, trees = zip(*results, strict=True)
        params = {**trial.params, "n_estimators": int(np.median(trees)), "subsample_freq": 1}
        found.append(Finalist(trial.number, float(np.mean(scores)), params))
    return sorted(found, key=lambda each: -each.average_precision)
