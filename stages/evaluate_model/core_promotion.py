"""Whether a challenger becomes champion: each reason is one function."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

# A challenger must not lose more than this of NDCG at the lower end of the interval.
MARGIN = 0.01
# A group needs this many buying customers before its own interval says anything.
SMALLEST_GROUP = 30
DRAWS = 2_000
CHALLENGER, CHAMPION = "challenger", "champion"


@dataclass(frozen=True)
class Promotion:
    """Whether the alias moves, why, which model the week is published with, and the figures behind it."""

    promoted: bool
    reason: str
    role: str
    difference: dict[str, float] | None = None
    groups: tuple[dict[str, Any], ...] = ()


def without_comparison(reason: str) -> Promotion:
    """Promote a challenger that no champion can be compared with."""
    return Promotion(True, reason, CHALLENGER)


def no_challenger() -> Promotion:
    """The champion was loaded; nothing is there to promote."""
    return Promotion(False, "no challenger: the champion was loaded", CHAMPION)


def on_backfill(champion: Mapping[str, Any], as_of: date) -> Promotion:
    """A period before the one that the champion was trained for: the alias never moves back.

    The period is published with its own model, because the champion has seen it.
    """
    reason = f"backfill: the champion was trained for {champion['as_of']}, later than {as_of}"
    return Promotion(False, reason, CHALLENGER)


def is_backfill(champion: Mapping[str, Any], as_of: date) -> bool:
    """Whether the champion was trained for a later period than this run's."""
    return date.fromisoformat(champion["as_of"]) > as_of


def paired_interval(difference: pd.Series, rng: np.random.Generator) -> dict[str, float]:
    """Mean difference over customers and its 95 % interval by paired bootstrap.

    Args:
        difference: challenger minus champion, one value a customer, at least one.
        rng: of the resampling.
    """
    values = difference.to_numpy()
    means = np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def compare(
    challenger: pd.Series, champion: pd.Series, customer_type: pd.Series, rng: np.random.Generator
) -> Promotion:
    """Promote unless the challenger is worse overall, or clearly worse for a group of customers.

    Args:
        challenger, champion: NDCG of every customer who bought, on one index.
        customer_type: type of those customers, on the same index; missing types are a group.
        rng: of the resampling.
    """
    if challenger.empty:
        return Promotion(False, "nobody bought in the closed period, so nothing can be compared", CHAMPION)
    difference = challenger - champion
    overall = paired_interval(difference, rng)
    groups: tuple[dict[str, Any], ...] = tuple(
        {"customer_type": str(name), "n_customers": len(part), **paired_interval(part, rng)}
        for name, part in difference.groupby(customer_type.fillna("not known"))
        if len(part) >= SMALLEST_GROUP
    )
    if overall["low"] < -MARGIN:
        interval = f"{overall['mean']:+.4f}, 95 % {overall['low']:+.4f} to {overall['high']:+.4f}"
        return Promotion(
            False, f"worse overall: NDCG {interval}, margin {-MARGIN:+.2f}", CHAMPION, overall, groups
        )
    worse = [group for group in groups if group["high"] < -MARGIN]
    if worse:
        names = ", ".join(group["customer_type"] for group in worse)
        return Promotion(False, f"clearly worse for customers of type {names}", CHAMPION, overall, groups)
    reason = f"not worse: NDCG {overall['mean']:+.4f} on the closed period"
    return Promotion(True, reason, CHALLENGER, overall, groups)
