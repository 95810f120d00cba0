"""From training rows and chosen parameters to a challenger: final fit, calibration, manifest."""

import hashlib
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from retrain_model.core_rows import Floats, Fold, Rows, faded, sampled
from retrain_model.core_search import fit_calibration
from sodai.features import FEATURE_NAMES
from sodai.model import TrainedModel, fit_pipeline, purchase_pipeline


def fit_final(
    X: pd.DataFrame,
    y: npt.NDArray[np.int8],
    cutoff: pd.Series,
    step_days: int,
    params: dict[str, Any],
    max_rows: int,
    seed: int,
) -> Any:
    """Fit the pipeline on all training periods, newer ones counting more."""
    weight = faded(cutoff, cutoff.max(), step_days)
    rows = sampled(Rows(X, y, weight), max_rows, np.random.default_rng(seed))
    return fit_pipeline(purchase_pipeline(params, seed), rows.X, rows.y, rows.weight)


def out_of_fold(folds: list[Fold], params: dict[str, Any], seed: int) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Log-odds and targets of the tested periods, each scored by a fit on earlier periods alone."""
    scores, targets = [], []
    for fold in folds:
        fitted = fit_pipeline(purchase_pipeline(params, seed), fold.train.X, fold.train.y, fold.train.weight)
        model = TrainedModel(fitted, {})
        scores.append(model.raw_score(fold.valid.X))
        targets.append(fold.valid.y)
    return np.concatenate(scores), np.concatenate(targets)


def calibration_of(folds: list[Fold], params: dict[str, Any], seed: int) -> dict[str, float]:
    """The calibration line of a set of parameters, from periods that its fits have not seen."""
    return fit_calibration(*out_of_fold(folds, params, seed))


def missing_share(n_bought_pairs: int, n_bought_candidates: int) -> float:
    """Share of the purchased pairs of past periods that were no candidates; 0 if nothing was bought."""
    return 1 - n_bought_candidates / n_bought_pairs if n_bought_pairs else 0.0


def pairs_by_period(purchases: pd.DataFrame, cutoffs: list[date], horizon_days: int) -> int:
    """How many distinct pairs were bought in each of some periods, added up.

    Args:
        purchases: customer_id, product_id, purchase_date.
        cutoffs: first days of the periods.
        horizon_days: their length.
    """
    day = pd.to_datetime(purchases["purchase_date"])
    total = 0
    for cutoff in map(pd.Timestamp, cutoffs):
        inside = purchases[(day >= cutoff) & (day < cutoff + pd.Timedelta(days=horizon_days))]
        total += len(inside[["customer_id", "product_id"]].drop_duplicates())
    return total


def manifest_of(
    as_of: date, horizon_days: int, cutoff: pd.Series, training_sha256: str, **more: Any
) -> dict[str, Any]:
    """The manifest of a challenger before it has a version.

    Args:
        as_of: first day of the period of the run that trains.
        horizon_days: length of the periods.
        cutoff: of the training rows.
        training_sha256: of the training table.
        more: params, calibration, missing_share and scores.
    """
    return {
        "as_of": as_of.isoformat(),
        "horizon_days": horizon_days,
        "cutoffs": sorted(day.date().isoformat() for day in cutoff.unique()),
        "features": list(FEATURE_NAMES),
        "n_training_rows": len(cutoff),
        "training_sha256": training_sha256,
        **more,
    }


def study_key(training_sha256: str, **settings: Any) -> str:
    """Names a study: the same data and settings, and nothing else, give the same key."""
    text = "|".join([training_sha256, *(f"{name}={value}" for name, value in sorted(settings.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
