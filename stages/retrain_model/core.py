"""From training rows and chosen parameters to a challenger: final fit, missing share, model card."""

import hashlib
from datetime import date
from typing import Any

import pandas as pd

from retrain_model.core_rows import Lessons
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.trained_model import build_pipeline, fit_pipeline


def fit_final(lessons: Lessons, params: dict[str, Any], weights: dict[str, float], max_rows: int) -> Any:
    """Fit the pipeline on all training periods, newer ones counting more.

    Args:
        lessons: every training row.
        params: of LightGBM.
        weights: of the members of the blend.
        max_rows: to learn from, see `sampled`.
    """
    learnt = lessons.sample(max_rows)
    pipeline = build_pipeline(params, lessons.seed, weights)
    return fit_pipeline(pipeline, learnt.X, learnt.y, learnt.weight, learnt.group)


def missing_share(n_bought_pairs: int, n_bought_candidates: int) -> float:
    """Share of the purchased pairs of past periods that were no candidates; 0 if nothing was bought."""
    return 1 - n_bought_candidates / n_bought_pairs if n_bought_pairs else 0.0


def build_model_card(
    as_of: date, horizon_days: int, cutoff: pd.Series, training_sha256: str, **more: Any
) -> dict[str, Any]:
    """The model card of a challenger before it has a version.

    Args:
        as_of: first day of the period of the run that trains.
        horizon_days: length of the periods.
        cutoff: of the training rows.
        training_sha256: of the training table.
        more: params, blend, calibration, missing_share and scores.
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
