"""What a difference between two models is worth, beside what chance makes of as many customers."""

import numpy as np
import pandas as pd

_DRAWS = 2_000
# A group needs this many buying customers before its own interval says anything.
SMALLEST_GROUP = 30


def paired_interval(difference: pd.Series, rng: np.random.Generator) -> dict[str, float]:
    """Mean difference over customers and its 95 % interval by paired bootstrap.

    Args:
        difference: of one model minus the other, one value a customer, at least one.
        rng: of the resampling.
    """
    values = difference.to_numpy()
    means = np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(_DRAWS)])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
