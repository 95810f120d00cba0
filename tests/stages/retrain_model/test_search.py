"""The best trials evaluated again on many rows, with LightGBM on synthetic rows."""

from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from retrain_model.core_lightgbm_fold import BinnedFold, bin_fold, encode_fold, evaluate_fold
from retrain_model.core_search import N_FINALISTS, rank_finalists, slow_down
from retrain_model.core_training_set import Fold, Rows
from retrain_model.workers import fold_workers
from sodai.data.feature_catalog import CATEGORICAL_NAMES

PARAMS = {"learning_rate": 0.1, "num_leaves": 7, "min_child_samples": 20}


def synthetic_rows(seed: int, n: int = 2_000) -> Rows:
    """Return rows whose target depends on two of three numbers."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)).astype(np.float32), columns=["a", "b", "c"])
    X = X.assign(**dict.fromkeys(CATEGORICAL_NAMES, np.float32(0)))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - 2 * X["a"] + X["b"]))).astype(np.int8)
    return Rows(X, y.to_numpy(), np.ones(n), np.arange(n) // 10)


@pytest.fixture(scope="module")
def encoded() -> list[Fold]:
    plain = [
        Fold(pd.Timestamp("2024-04-01"), synthetic_rows(seed), synthetic_rows(seed + 10)) for seed in range(2)
    ]
    unchanged = FunctionTransformer().fit(plain[0].train.X)
    return [encode_fold(fold, unchanged) for fold in plain]


@pytest.fixture(scope="module")
def folds(encoded: list[Fold]) -> list[BinnedFold]:
    return [bin_fold(fold, threads=2) for fold in encoded]


def trial(number: int, value: float | None, **params: float) -> optuna.trial.FrozenTrial:
    return optuna.trial.FrozenTrial(
        number=number,
        trial_id=number,
        state=optuna.trial.TrialState.PRUNED if value is None else optuna.trial.TrialState.COMPLETE,
        value=value,
        values=None,
        datetime_start=None,
        datetime_complete=None,
        params={**PARAMS, **params},
        distributions=dict.fromkeys({**PARAMS, **params}, optuna.distributions.FloatDistribution(0, 1e3)),
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


def test_the_best_completed_trials_are_finalists(encoded: list[Fold]) -> None:
    trials = [trial(0, 0.5), trial(1, None), trial(2, 0.7), trial(3, 0.6), trial(4, 0.7), trial(5, 0.1)]
    finalists = rank_finalists(trials, encoded, 0, 2)
    assert {finalist.number for finalist in finalists} == {2, 4}
    assert len(finalists) == N_FINALISTS


@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_finalists_are_ranked_by_their_value_on_many_rows(
    encoded: list[Fold], folds: list[BinnedFold], cpus: int
) -> None:
    # The best of the search, but poor on many rows: trees of two leaves at this rate hardly learn.
    trials = [trial(0, 0.9, learning_rate=1e-4, num_leaves=2), trial(1, 0.1)]
    best, last = rank_finalists(trials, encoded, 0, cpus)
    assert (best.number, last.number) == (1, 0)
    results = [evaluate_fold(fold, trials[1].params, 0, 2, 500, 25) for fold in folds]
    assert best.average_precision == np.mean([score for score, _ in results])
    assert best.params == {
        **trials[1].params,
        "n_estimators": int(np.median([trees for _, trees in results])),
        "subsample_freq": 1,
    }


def test_the_final_fit_has_half_the_learning_rate_and_twice_the_trees() -> None:
    assert slow_down({**PARAMS, "n_estimators": 90}) == {
        "learning_rate": 0.05,
        "n_estimators": 180,
        "num_leaves": 7,
        "min_child_samples": 20,
    }


def test_worker_processes_return_the_scores_of_this_process(
    encoded: list[Fold], folds: list[BinnedFold], tmp_path: Path
) -> None:
    other = {**PARAMS, "num_leaves": 3}
    with fold_workers(2, tmp_path) as score_on:
        score = score_on(encoded, 5)
        futures = [score(params, fold) for params in (PARAMS, other) for fold in range(2)]
        scores = [future.result() for future in futures]
    expected = [evaluate_fold(fold, params, 5, 2)[0] for params in (PARAMS, other) for fold in folds]
    assert scores == expected


def test_a_tested_period_is_sampled_in_whole_groups() -> None:
    fold = Fold(pd.Timestamp("2024-04-01"), synthetic_rows(0), synthetic_rows(1))
    unchanged = FunctionTransformer().fit(fold.train.X)
    kept = encode_fold(fold, unchanged, max_valid_rows=500)
    # A quarter of 200 groups of ten rows: a standard deviation is 6 groups.
    groups = fold.valid.group[kept.valid.X.index]
    assert len(kept.valid.y) == pytest.approx(500, abs=5 * 60)
    assert (np.unique(groups, return_counts=True)[1] == 10).all()
    assert len(kept.train.y) == 2_000
    assert encode_fold(fold, unchanged, max_valid_rows=500).valid.X.equals(kept.valid.X)
