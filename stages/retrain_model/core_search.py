"""The search space of the parameters, and the choice among the best trials on many rows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from retrain_model.core_lightgbm_fold import bin_fold, evaluate_fold
from retrain_model.core_training_set import Fold, TrainingSet
from sodai.model.trained_model import build_pipeline

# The few rows of a trial need fewer trees than all rows: the best trials are evaluated again on many rows,
# which also fixes their number of trees.
N_FINALISTS = 2
FINAL_ROUNDS = 500
FINAL_PATIENCE = 25
_FINAL_SLOWDOWN = 2


@dataclass(frozen=True)
class Finalist:
    """One of the best trials: its average precision on many rows, and its parameters with their trees."""

    number: int
    average_precision: float
    params: dict[str, Any]


def suggest_params(trial: optuna.Trial) -> dict[str, Any]:
    """Return the parameters of LightGBM for one trial."""
    # A learning rate below .08 doubles the trees of a trial and ranks trials no better on SodAI (14 October
    # and 9 December 2024). The few rows of a trial prefer trees of seven leaves, all rows larger trees: on
    # four autumn weeks of SodAI NDCG@10 was .835 with 26 leaves and .833 with eight, on Complete Journey's
    # product types (27 November 2017) .4385 with 31 and .4363 with ten. Categories with many values, such as
    # those product types, need smoothing.
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.08, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 16, 63, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 20, 400, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "cat_smooth": trial.suggest_float("cat_smooth", 10.0, 300.0, log=True),
    }


def fit_encoder(training_set: TrainingSet) -> Any:
    """Return the encoder of categories as numbers, fitted on every training row."""
    return build_pipeline({}, training_set.seed)["encode"].fit(training_set.X)


def rank_finalists(
    trials: Sequence[FrozenTrial], folds: Sequence[Fold], seed: int, cpus: int
) -> list[Finalist]:
    """Evaluate the best completed trials on folds of many rows; return them best first.

    Args:
        trials: of a study, at least one completed.
        folds: encoded, evaluated in parallel on the CPUs.
        seed: of LightGBM.
        cpus: number of CPUs.
    """
    completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(completed, key=lambda trial: (-(trial.value or 0.0), trial.number))[:N_FINALISTS]
    n_parallel = min(len(folds), cpus)
    threads = cpus // n_parallel

    def evaluate_best(fold: Fold) -> list[tuple[float, int]]:
        binned = bin_fold(fold, threads)
        return [
            evaluate_fold(binned, trial.params, seed, threads, FINAL_ROUNDS, FINAL_PATIENCE) for trial in best
        ]

    with ThreadPoolExecutor(n_parallel) as pool:
        by_fold = list(pool.map(evaluate_best, folds))
    finalists = []
    for trial, results in zip(best, zip(*by_fold, strict=True), strict=True):
        scores, trees = zip(*results, strict=True)
        params = {**trial.params, "n_estimators": int(np.median(trees)), "subsample_freq": 1}
        finalists.append(Finalist(trial.number, float(np.mean(scores)), params))
    return sorted(finalists, key=lambda finalist: -finalist.average_precision)


def slow_down(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a finalist with half the learning rate and twice the trees."""
    # On four autumn weeks of SodAI this gained .001 of NDCG@10, as much as the mean of two models. Trials do
    # without it, because a search would take twice as long.
    return {
        **params,
        "learning_rate": params["learning_rate"] / _FINAL_SLOWDOWN,
        "n_estimators": params["n_estimators"] * _FINAL_SLOWDOWN,
    }
