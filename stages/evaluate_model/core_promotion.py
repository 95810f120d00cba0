"""Whether a challenger becomes champion: each reason is one function."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.evaluation.bootstrap import SMALLEST_GROUP, paired_interval

# A challenger must not lose more than this of NDCG at the lower end of the interval.
MARGIN = 0.01
# A customer's volume is what it bought in so many days; customers fall into three equal parts by it.
_VOLUME_DAYS = 56
_VOLUMES = ("low", "middle", "high")


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


def standing(promotion: Promotion) -> Promotion:
    """A challenger that an earlier run of the period promoted: it stays champion, whatever is found now.

    Args:
        promotion: what the comparison with the champion of then comes to now.
    """
    if promotion.promoted:
        return promotion
    reason = f"promoted by an earlier run of this period, and stays; now {promotion.reason}"
    return replace(promotion, promoted=True, role=CHALLENGER, reason=reason)


def is_backfill(champion: Mapping[str, Any], as_of: date) -> bool:
    """Whether the champion was trained for a later period than this run's."""
    return date.fromisoformat(champion["as_of"]) > as_of


def customer_groups(customers: pd.DataFrame, purchases: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The groups that a promotion is guarded for: customer_type and volume, indexed by customer_id.

    Args:
        customers: customer_id, customer_type.
        purchases: customer_id, product_id, purchase_date, all before `as_of`.
        as_of: first day of the period that models are compared on.
    """
    age = (pd.Timestamp(as_of) - pd.to_datetime(purchases["purchase_date"])).dt.days
    recent = purchases.loc[age <= _VOLUME_DAYS, ["customer_id", "product_id", "purchase_date"]]
    groups = customers.set_index("customer_id")[["customer_type"]].sort_index()
    bought = recent.drop_duplicates().groupby("customer_id").size().reindex(groups.index, fill_value=0)
    third = (bought.rank(method="first").astype(int) - 1) * len(_VOLUMES) // len(groups)
    return groups.assign(volume=third.map(dict(enumerate(_VOLUMES))))


def outcome(difference: pd.Series, seed: int) -> dict[str, Any]:
    """What a training was worth on the period after it, and why that may not be known.

    Args:
        difference: NDCG of the challenger minus the champion's, one value a buying customer.
        seed: of the resampling.
    """
    if difference.empty:
        return {"difference": None, "reason": "nobody bought in the closed period"}
    interval = paired_interval(difference, np.random.default_rng(seed))
    verb = "beat" if interval["mean"] > 0 else "did not beat"
    figures = f"{interval['mean']:+.4f}, 95 % {interval['low']:+.4f} to {interval['high']:+.4f}"
    return {"difference": interval, "reason": f"the challenger {verb} the champion: NDCG {figures}"}


def compare(
    challenger: pd.Series, champion: pd.Series, groups: pd.DataFrame, rng: np.random.Generator
) -> Promotion:
    """Promote unless the challenger is worse overall, or clearly worse for a group of customers.

    Args:
        challenger, champion: NDCG of every customer who bought, on one index.
        groups: customer_type and volume of those customers, on the same index; missing is a group.
        rng: of the resampling.
    """
    if challenger.empty:
        return Promotion(False, "nobody bought in the closed period, so nothing can be compared", CHAMPION)
    difference = challenger - champion
    overall = paired_interval(difference, rng)
    judged: tuple[dict[str, Any], ...] = tuple(
        {"by": str(by), "group": str(name), "n_customers": len(part), **paired_interval(part, rng)}
        for by, column in groups.items()
        for name, part in difference.groupby(column.fillna("not known"))
        if len(part) >= SMALLEST_GROUP
    )
    if overall["low"] < -MARGIN:
        interval = f"{overall['mean']:+.4f}, 95 % {overall['low']:+.4f} to {overall['high']:+.4f}"
        verb = "worse" if overall["mean"] < -MARGIN else "may be worse"
        return Promotion(
            False, f"{verb} overall: NDCG {interval}, margin {-MARGIN:+.2f}", CHAMPION, overall, judged
        )
    worse = [group for group in judged if group["high"] < -MARGIN]
    if worse:
        names = ", ".join(f"{group['by'].replace('_', ' ')} {group['group']}" for group in worse)
        return Promotion(False, f"clearly worse for customers of {names}", CHAMPION, overall, judged)
    reason = f"not worse: NDCG {overall['mean']:+.4f} on the closed period"
    return Promotion(True, reason, CHALLENGER, overall, judged)
