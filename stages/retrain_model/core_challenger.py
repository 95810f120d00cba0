"""The challenger: the final fit of its pipeline, and its model card."""

from typing import Any

import pandas as pd

from retrain_model.core_training_set import TrainingSet
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.data.periods import Period
from sodai.model.trained_model import build_pipeline, fit_pipeline


def fit_final(
    training_set: TrainingSet, params: dict[str, Any], weights: dict[str, float], max_rows: int
) -> Any:
    """Fit the pipeline on all training periods, newer ones with more weight.

    Args:
        training_set: every training row.
        params: of LightGBM.
        weights: member of the blend -> weight.
        max_rows: rows to train on, about, see `sample_rows`.
    """
    rows = training_set.sample(max_rows)
    pipeline = build_pipeline(params, training_set.seed, weights)
    return fit_pipeline(pipeline, rows.X, rows.y, rows.weight, rows.group)


def missing_share(n_bought_pairs: int, n_bought_candidates: int) -> float:
    """Return the share of the pairs bought in past periods that were no candidates; 0 without a purchase."""
    return 1 - n_bought_candidates / n_bought_pairs if n_bought_pairs else 0.0


def build_model_card(period: Period, cutoff: pd.Series, training_sha256: str, **more: Any) -> dict[str, Any]:
    """Return the model card of a challenger that is not registered yet.

    Args:
        period: the period of the run that trains.
        cutoff: (n,) cutoff of each training row.
        training_sha256: SHA-256 of the training table.
        more: params, blend, calibration, missing_share and scores.
    """
    return {
        "as_of": period.as_of.isoformat(),
        "horizon_days": period.horizon_days,
        "cutoffs": sorted(day.date().isoformat() for day in cutoff.unique()),
        "features": list(FEATURE_NAMES),
        "n_training_rows": len(cutoff),
        "training_sha256": training_sha256,
        **more,
    }
