"""Customer features: how often, how much and how regularly a customer orders."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import (
    QUANTITY_SCALE,
    History,
    add_gap_features,
    decayed_sum,
    gap_aggregates,
)
from sodai.data.feature_catalog import FEATURES
from sodai.data.periods import DAYS_PER_WEEK

DECAY = 0.9

_NEVER_NULL = {feature.name for feature in FEATURES if feature.group == "customer" and not feature.null_means}


def compute_customer_features(history: History, pairs: Table, customers: Table) -> Table:
    """Return the customer features, one row for each customer, also without any purchase.

    Args:
        history: purchases before the cutoff.
        pairs: the columns of `compute_pair_features`, of the same history.
        customers: the columns of CUSTOMERS.

    Returns:
        customer_id, every feature of the group customer, and `customer_weeks` (weeks with an order),
        by which pair features are divided.
    """
    features = customers.select(
        "customer_id",
        customer_type=_.customer_type,
        customer_latitude=_.y,
        customer_longitude=_.x,
        customer_deliveries_per_week=_.num_deliver_per_week,
    )
    # `n_products`: those not bought earlier in the week, so that days add up to weeks.
    days = history.days.group_by("customer_id", "age_days", "week").agg(
        n_products=_.opens_week.sum(), milli_units=_.milli_units.sum()
    )
    for group in (_order_features(days), _week_features(days), _product_counts(pairs)):
        features = features.left_join(group, "customer_id").drop("customer_id_right")
    # Without history, counts are 0.
    return features.mutate(
        **{name: features[name].coalesce(0) for name in features.columns if name in _NEVER_NULL},
        customer_due_ratio=_.customer_recency_days / _.customer_gap_median_days.nullif(0),
    )


def _order_features(days: Table) -> Table:
    in_turn = ibis.window(group_by="customer_id", order_by=ibis.desc("age_days"))
    days = days.mutate(gap_days=_.age_days.lag().over(in_turn) - _.age_days)
    sums = days.group_by("customer_id").agg(
        customer_recency_days=_.age_days.min(),
        customer_tenure_days=_.age_days.max(),
        customer_order_days=_.count(),
        customer_units_8w=_.milli_units.sum(where=_.week < 8) / QUANTITY_SCALE,
        **gap_aggregates(_.age_days, _.gap_days),
    )
    return add_gap_features(sums, "customer")


def _week_features(days: Table) -> Table:
    weeks = days.group_by("customer_id", "week").agg(n_products=_.n_products.sum())
    sums = weeks.group_by("customer_id").agg(
        customer_weeks=_.count(),
        customer_products_1w=_.n_products.sum(where=_.week < 1),
        customer_products_per_week_8w=_.n_products.sum(where=_.week < 8) / 8,
        customer_activity=decayed_sum(_.week, DECAY),
        bought=decayed_sum(_.week, DECAY, _.n_products),
    )
    return sums.mutate(customer_basket=_.bought / _.customer_activity.nullif(0)).drop("bought")


def _product_counts(pairs: Table) -> Table:
    bought = pairs.select("customer_id", newest=_.pair_recency_days, first=_.pair_tenure_days)
    sums = bought.group_by("customer_id").agg(
        customer_products=_.count(),
        customer_products_4w=_.count(where=_.newest <= 4 * DAYS_PER_WEEK),
        n_recent=_.count(where=_.newest <= 8 * DAYS_PER_WEEK),
        n_new=_.count(where=_["first"] <= 8 * DAYS_PER_WEEK),
    )
    return sums.mutate(customer_new_share_8w=_.n_new / _.n_recent.nullif(0)).drop("n_recent", "n_new")
