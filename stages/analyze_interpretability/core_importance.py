"""Importance of features and groups from contributions, and the check that contributions add up."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sodai.data.feature_catalog import Feature
from sodai.errors import ModelError

Floats = npt.NDArray[np.float64]

# LightGBM adds up trees in double precision; a wrong or shuffled feature is off by far more.
_TOLERANCE = 1e-6


def check_additivity(contributions: Floats, raw_score: Floats) -> float:
    """Return the largest gap between the sum of a row's contributions and its raw score, in log-odds.

    Args:
        contributions: (n, n_features + 1), the base value last.
        raw_score: (n,) log-odds before calibration.

    Raises:
        ModelError: the gap is larger than rounding: the contributions explain another model.
    """
    gap = float(np.abs(contributions.sum(axis=1) - raw_score).max(initial=0.0))
    if gap > _TOLERANCE * max(1.0, float(np.abs(raw_score).max(initial=0.0))):
        raise ModelError(
            f"contributions miss the model's raw score by up to {gap:.3g} log-odds, expected less than "
            f"{_TOLERANCE:g}; the model folder is damaged: rerun evaluate_model"
        )
    return gap


def feature_importance(contributions: Floats, features: Sequence[Feature]) -> pd.DataFrame:
    """Return the columns of IMPORTANCE, the most important feature first.

    Args:
        contributions: (n, n_features) without the base value, columns in the order of `features`.
        features: the catalogue.
    """
    mean_abs = np.abs(contributions).mean(axis=0)
    table = pd.DataFrame(
        {
            "feature": [feature.name for feature in features],
            "group": [feature.group for feature in features],
            "mean_abs_contribution": mean_abs,
            "share": mean_abs / mean_abs.sum() if mean_abs.sum() else mean_abs,
        }
    )
    return table.sort_values(["mean_abs_contribution", "feature"], ascending=[False, True], ignore_index=True)


def group_importance(contributions: Floats, features: Sequence[Feature]) -> pd.Series:
    """Return the mean absolute contribution of each feature group, the largest first, in log-odds.

    Contributions are summed within a row and group first, so that features that cancel each other count once.
    """
    groups = np.array([feature.group for feature in features])
    means = {
        group: float(np.abs(contributions[:, groups == group].sum(axis=1)).mean())
        for group in sorted(set(groups))
    }
    return pd.Series(means, name="mean_abs_contribution").sort_values(ascending=False, kind="stable")
