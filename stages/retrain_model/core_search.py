"""The search space, and the best trials held against each other on many rows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from retrain_model.core_folds import EncodedFold, evaluate_fold, prepare
from retrain_model.core_rows import Lessons
from sodai.model.trained_model import build_pipeline

# A sample of rows asks for fewer trees than all of them: the best trials are held against each other
# once more on many rows, and get their number of trees there.
N_FINALISTS = 2
FINAL_ROUNDS = 500
FINAL_PATIENCE = 25
# Trials learn fast, the model that they choose half as fast with twice the trees: see `slowed`.
_SLOWER = 2


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Parameters of LGBMClassifier for one trial.

    Slower learning than .08 costs a trial twice the trees and orders trials no better on SodAI (14
    October and 9 December 2024). A trial's few rows prefer trees of seven leaves, all rows larger
    ones: four autumn weeks of SodAI had NDCG@10 of .835 with 26 leaves and .833 with eight, Complete
    Journey's product types .4385 with 31 and .4363 with ten (27 November 2017). Categories of many
    values (those product types) want smoothing.
    """
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.08, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 16, 63, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 20, 400, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "cat_smooth": trial.suggest_float("cat_smooth", 10.0, 300.0, log=True),
    }


def encoder_of(lessons: Lessons) -> Any:
    """What makes numbers of the categories, fitted on every training row."""
    return build_pipeline({}, lessons.seed)["encode"].fit(lessons.rows.X)


def slowed(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the same model learnt in smaller steps, for the final fit.

    On four autumn weeks of SodAI it was worth .001 of NDCG@10, as much as two models averaged; a
    search of such trials would take twice as long.

    Args:
        params: of a finalist.
    """
    return {
        **params,
        "learning_rate": params["learning_rate"] / _SLOWER,
        "n_estimators": params["n_estimators"] * _SLOWER,
    }


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, held against the others on many rows: its value there and its trees."""

    number: int
    average_precision: float
    params: dict[str, Any]


def finalists(
    trials: Sequence[FrozenTrial], folds: Sequence[EncodedFold], seed: int, cpus: int
) -> list[Finalist]:
    """The best completed trials on folds of many rows, best first; as many folds at once as there are CPUs.

    Args:
        trials: of a study, at least one completed.
        folds: to test on.
        seed: of LightGBM.
        cpus: to use.
    """
    completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(completed, key=lambda trial: (-(trial.value or 0.0), trial.number))[:N_FINALISTS]
    side_by_side = min(len(folds), cpus)
    threads = cpus // side_by_side

    def results_on(fold: EncodedFold) -> list[tuple[float, int]]:
        prepared = prepare(fold, threads)
        return [
            evaluate_fold(prepared, trial.params, seed, threads, FINAL_ROUNDS, FINAL_PATIENCE)
            for trial in best
        ]

    with ThreadPoolExecutor(side_by_side) as pool:
        by_fold = list(pool.map(results_on, folds))
    found = []
    for trial, results in zip(best, zip(*by_fold, strict=True), strict=True):
        scores, trees = zip(*results, strict=True)
        params = {**trial.params, "n_estimators": int(np.median(trees)), "subsample_freq": 1}
        found.append(Finalist(trial.number, float(np.mean(scores)), params))
    return sorted(found, key=lambda each: -each.average_precision)
