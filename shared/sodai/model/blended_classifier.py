"""A blend of a classifier, a ranker and a momentum score as one scikit-learn classifier."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRanker
from sklearn.base import BaseEstimator, ClassifierMixin

from sodai.data.customer_groups import group_starts
from sodai.data.feature_catalog import CATEGORICAL_NAMES
from sodai.runtime.limits import available_cpus

Floats = npt.NDArray[np.float64]

CLASSIFIER, RANKER, MOMENTUM = "classifier", "ranker", "momentum"
MEMBERS = (CLASSIFIER, RANKER, MOMENTUM)
MOMENTUM_FEATURE = "pair_momentum_score"
# Keeps the logarithm finite; scores below it are noise of products that hardly sell.
_SMALLEST_MOMENTUM = 0.05
# Recommended lists have ten products: ranks far below them need not be learned.
_TRUNCATION = 20


class BlendedClassifier(ClassifierMixin, BaseEstimator):
    """The weighted sum of a classifier's log-odds, a ranker's score and the log of the momentum score.

    Args:
        params: of LightGBM, the same for classifier and ranker.
        seed: of LightGBM's sampling of rows and columns.
        weights: member -> weight, the classifier alone by default; other members are not fitted.
    """

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.params = params
        self.seed = seed
        self.weights = weights

    def fit(
        self,
        X: pd.DataFrame,
        y: npt.NDArray[Any],
        sample_weight: Floats | None = None,
        group: npt.NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit every member that has a weight.

        Args:
            X: (n, features), categories as codes.
            y: (n,) 1 if bought in the period.
            sample_weight: (n,) weight of each row, 1 by default.
            group: (n,) list of each row, rows of a list next to each other; only the ranker needs it.
        """
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        fits: dict[str, Callable[..., Any]] = {CLASSIFIER: _fit_classifier, RANKER: _fit_ranker}
        fitted = [name for name in fits if name in self._weights()]
        if RANKER in fitted and group is None:
            raise ValueError("group is None, expected the list of each row, which the ranker needs")
        # Two fits in parallel finish earlier than one after the other with two threads each.
        n_parallel = max(1, min(len(fitted), available_cpus()))
        fixed = {
            **(self.params or {}),
            "random_state": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "n_jobs": available_cpus() // n_parallel,
            "verbose": -1,
        }
        with ThreadPoolExecutor(n_parallel) as pool:
            members = [pool.submit(fits[name], fixed, X, y, weight, group) for name in fitted]
            self.estimators_ = {name: member.result() for name, member in zip(fitted, members, strict=True)}
        self.classes_ = np.array([0, 1])
        self.momentum_centre_ = (
            float(np.average(_momentum(X), weights=weight)) if MOMENTUM in self._weights() else 0.0
        )
        return self

    def member_scores(self, X: pd.DataFrame, threads: int | None = None) -> dict[str, Floats]:
        """Return the score of each member: name -> (n,).

        Args:
            X: see `fit`.
            threads: of LightGBM; one for each core by default.
        """
        limit = {} if threads is None else {"num_threads": threads}
        scores = {
            name: np.asarray(estimator.booster_.predict(X, raw_score=True, **limit), dtype=np.float64)
            for name, estimator in self.estimators_.items()
        }
        if MOMENTUM in self._weights():
            scores[MOMENTUM] = _momentum(X)
        return scores

    def decision_function(self, X: pd.DataFrame, threads: int | None = None) -> Floats:
        """Return the weighted sum of the members' scores: (n,)."""
        scores = self.member_scores(X, threads)
        total = np.zeros(len(X))
        for name, weight in self._weights().items():
            total += weight * scores[name]
        return total

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the probabilities of no purchase and of a purchase before calibration: (n, 2)."""
        bought = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - bought, bought])

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Return 1 where a purchase is likelier than none: (n,)."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def contributions(self, X: pd.DataFrame) -> Floats:
        """Return the SHAP values of the weighted sum: (n, features + 1), the last column the base value."""
        weights = self._weights()
        total = np.zeros((len(X), X.shape[1] + 1))
        for name, estimator in self.estimators_.items():
            # Exact for trees.
            values = np.asarray(estimator.booster_.predict(X, pred_contrib=True), dtype=np.float64)
            total += weights[name] * values
        if MOMENTUM in weights:
            # A member that is a function of one feature: its distance from the mean of the training rows.
            column = list(X.columns).index(MOMENTUM_FEATURE)
            total[:, column] += weights[MOMENTUM] * (_momentum(X) - self.momentum_centre_)
            total[:, -1] += weights[MOMENTUM] * self.momentum_centre_
        return total

    def _weights(self) -> Mapping[str, float]:
        return {CLASSIFIER: 1.0} if self.weights is None else self.weights


def _momentum(X: pd.DataFrame) -> Floats:
    return np.asarray(np.log(X[MOMENTUM_FEATURE].to_numpy(np.float64) + _SMALLEST_MOMENTUM))


def _fit_classifier(
    params: Mapping[str, Any], X: pd.DataFrame, y: npt.NDArray[Any], weight: Floats, _: object
) -> LGBMClassifier:
    return LGBMClassifier(**params).fit(
        X, y, sample_weight=weight, categorical_feature=list(CATEGORICAL_NAMES)
    )


def _fit_ranker(
    params: Mapping[str, Any],
    X: pd.DataFrame,
    y: npt.NDArray[Any],
    weight: Floats,
    group: npt.NDArray[np.int64],
) -> LGBMRanker:
    """Fit on the lists that have a purchase: the others have no order to learn."""
    starts = group_starts(group)
    lengths = np.diff(np.append(starts, len(group)))
    bought = np.add.reduceat(y, starts) > 0
    rows = np.repeat(bought, lengths)
    return LGBMRanker(**params, lambdarank_truncation_level=_TRUNCATION).fit(
        X[rows],
        y[rows],
        group=lengths[bought],
        sample_weight=weight[rows],
        categorical_feature=list(CATEGORICAL_NAMES),
    )
