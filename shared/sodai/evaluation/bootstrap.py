"""Confidence intervals of differences between two models, by bootstrap over customers."""

import numpy as np
import pandas as pd

_DRAWS = 2_000
# With fewer buying customers the interval of a group is too wide to decide anything.
SMALLEST_GROUP = 30


def paired_interval(difference: pd.Series, rng: np.random.Generator) -> dict[str, float]:
    """Return the mean difference over customers and its 95 % interval by paired bootstrap.

    Args:
        difference: metric of one model minus that of the other, one value per customer, at least one.
        rng: source of the resampling.

    Returns:
        `mean`, `low` and `high`.
    """
    values = difference.to_numpy()
    means = np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(_DRAWS)])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
