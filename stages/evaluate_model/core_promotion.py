"""The promotion of a challenger: one function for each reason to promote or to keep."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.evaluation.bootstrap import SMALLEST_GROUP, paired_interval

# A challenger must not lose more NDCG than this at the lower end of the interval.
MARGIN = 0.01
# Customers are split into three groups of equal size by their demand in this many days.
_DEMAND_DAYS = 56
_DEMAND_LEVELS = ("low", "middle", "high")


@dataclass(frozen=True)
class Promotion:
    """A decision on the alias champion, and the role of the model that the week is predicted with.

    `difference` is the interval of the mean NDCG difference, None without a comparison; `groups` are those of
    each group of customers.
    """

    promoted: bool
    reason: str
    role: str
    difference: dict[str, float] | None = None
    groups: tuple[dict[str, Any], ...] = ()


def promote_without_comparison(reason: str) -> Promotion:
    """Promote a challenger that cannot be compared with a champion."""
    return Promotion(True, reason, CHALLENGER)


def keep_loaded_champion() -> Promotion:
    """Keep the champion of a period without a challenger."""
    return Promotion(False, "no challenger: the champion was loaded", CHAMPION)


def keep_on_backfill(champion: Mapping[str, Any], as_of: date) -> Promotion:
    """Keep a champion that has seen the period because it was trained later; predict with the challenger."""
    reason = f"backfill: the champion was trained for {champion['as_of']}, later than {as_of}"
    return Promotion(False, reason, CHALLENGER)


def keep_promoted(promotion: Promotion) -> Promotion:
    """Keep a challenger that an earlier run of the period promoted, whatever the comparison says now."""
    if promotion.promoted:
        return promotion
    reason = f"promoted by an earlier run of this period, and stays; now {promotion.reason}"
    return replace(promotion, promoted=True, role=CHALLENGER, reason=reason)


def is_backfill(champion: Mapping[str, Any], as_of: date) -> bool:
    """Return whether the champion was trained for a later period than that of this run."""
    return date.fromisoformat(champion["as_of"]) > as_of


def has_seen(card: Mapping[str, Any], as_of: date) -> bool:
    """Return whether a model was trained on a day of the period that starts on `as_of`, or on a later one."""
    newest = max(map(date.fromisoformat, card["cutoffs"]))
    return newest + timedelta(days=card["horizon_days"]) > as_of


def customer_groups(customers: pd.DataFrame, purchases: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return the groups that a challenger must not harm: customer_type and demand, indexed by customer_id.

    Args:
        customers: customer_id, customer_type.
        purchases: customer_id, product_id, purchase_date, all before `as_of`.
        as_of: first day of the period that models are compared on.
    """
    age = (pd.Timestamp(as_of) - pd.to_datetime(purchases["purchase_date"])).dt.days
    recent = purchases.loc[age <= _DEMAND_DAYS, ["customer_id", "product_id", "purchase_date"]]
    groups = customers.set_index("customer_id")[["customer_type"]].sort_index()
    demand = recent.drop_duplicates().groupby("customer_id").size().reindex(groups.index, fill_value=0)
    level = (demand.rank(method="first").astype(int) - 1) * len(_DEMAND_LEVELS) // len(groups)
    return groups.assign(demand=level.map(dict(enumerate(_DEMAND_LEVELS))))


def describe_difference(difference: pd.Series, seed: int) -> dict[str, Any]:
    """Return the interval of the mean NDCG difference of the customers who bought, and a reason in words."""
    if difference.empty:
        return {"difference": None, "reason": "no purchases in the closed period"}
    interval = paired_interval(difference, np.random.default_rng(seed))
    verb = "beat" if interval["mean"] > 0 else "did not beat"
    figures = f"{interval['mean']:+.4f}, 95 % {interval['low']:+.4f} to {interval['high']:+.4f}"
    return {"difference": interval, "reason": f"the challenger {verb} the champion: NDCG {figures}"}


def compare(
    challenger: pd.Series, champion: pd.Series, groups: pd.DataFrame, rng: np.random.Generator
) -> Promotion:
    """Promote unless the challenger may be worse overall, or is clearly worse for a group of customers.

    Args:
        challenger, champion: NDCG of every customer who bought, with one index.
        groups: customer_type and demand of those customers, with the same index; missing is a group.
        rng: of the bootstrap.
    """
    if challenger.empty:
        return Promotion(False, "no purchases in the closed period, so there is nothing to compare", CHAMPION)
    difference = challenger - champion
    overall = paired_interval(difference, rng)
    intervals = _group_intervals(difference, groups, rng)
    if overall["low"] < -MARGIN:
        interval = f"{overall['mean']:+.4f}, 95 % {overall['low']:+.4f} to {overall['high']:+.4f}"
        verb = "worse" if overall["mean"] < -MARGIN else "may be worse"
        reason = f"{verb} overall: NDCG {interval}, margin {-MARGIN:+.2f}"
        return Promotion(False, reason, CHAMPION, overall, intervals)
    worse = [group for group in intervals if group["high"] < -MARGIN]
    if worse:
        names = ", ".join(f"{group['by'].replace('_', ' ')} {group['group']}" for group in worse)
        return Promotion(False, f"clearly worse for customers of {names}", CHAMPION, overall, intervals)
    reason = f"not worse: NDCG {overall['mean']:+.4f} on the closed period"
    return Promotion(True, reason, CHALLENGER, overall, intervals)


def _group_intervals(
    difference: pd.Series, groups: pd.DataFrame, rng: np.random.Generator
) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"by": str(by), "group": str(name), "n_customers": len(values), **paired_interval(values, rng)}
        for by, column in groups.items()
        for name, values in difference.groupby(column.fillna("not known"))
        if len(values) >= SMALLEST_GROUP
    )
