"""Customer features: how often, how much and how regularly a customer orders."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import QUANTITY_UNIT, History, decayed, gap_statistics

DECAY = 0.9


def customer_features(history: History, customers: Table) -> Table:
    """The customer features, one row a customer, those without any purchase included.

    Args:
        history: purchases before the cutoff.
        customers: the columns of CUSTOMERS.

    Returns:
        customer_id, every feature of the group customer, and `customer_weeks` (weeks with an order),
        which pair features divide by.
    """
    who = customers.select(
        "customer_id",
        customer_type=_.customer_type,
        customer_latitude=_.y,
        customer_longitude=_.x,
        customer_deliveries_per_week=_.num_deliver_per_week,
    )
    days = history.days.select("customer_id", "age_days").distinct()
    features = who
    for part in (
        _orders(history),
        gap_statistics(days, ["customer_id"], "customer"),
        _products(history),
        _baskets(history),
        _exploration(history),
    ):
        features = features.left_join(part, "customer_id").drop("customer_id_right")
    counts = [name for name in features.columns if name in _ZERO_WITHOUT_HISTORY]
    return features.mutate(
        **{name: features[name].coalesce(0) for name in counts},
        customer_due_ratio=_.customer_recency_days / _.customer_gap_median_days.nullif(0),
    )


_ZERO_WITHOUT_HISTORY = {
    "customer_order_days",
    "customer_activity",
    "customer_products",
    "customer_products_4w",
    "customer_products_1w",
    "customer_products_per_week_8w",
    "customer_units_8w",
}


def _orders(history: History) -> Table:
    days = history.days
    return days.group_by("customer_id").agg(
        customer_recency_days=_.age_days.min(),
        customer_tenure_days=_.age_days.max(),
        customer_order_days=_.age_days.nunique(),
        customer_weeks=_.week.nunique(),
        customer_units_8w=_.milli_units.sum(where=_.week < 8) / QUANTITY_UNIT,
    )


def _products(history: History) -> Table:
    return history.weeks.group_by("customer_id").agg(
        customer_products=_.product_id.nunique(),
        customer_products_4w=_.product_id.nunique(where=_.week < 4),
        customer_products_1w=_.count(where=_.week < 1),
        customer_products_per_week_8w=_.count(where=_.week < 8) / 8,
    )


def _baskets(history: History) -> Table:
    baskets = history.weeks.group_by("customer_id", "week").agg(n_products=_.count())
    sums = baskets.group_by("customer_id").agg(
        customer_activity=decayed(_.week, DECAY), bought=decayed(_.week, DECAY, _.n_products)
    )
    return sums.select("customer_id", "customer_activity", customer_basket=_.bought / _.customer_activity)


def _exploration(history: History) -> Table:
    pairs = history.weeks.group_by("customer_id", "product_id").agg(
        first_week=_.week.max(), last_week=_.week.min()
    )
    recent = pairs.filter(_.last_week < 8).group_by("customer_id")
    return recent.agg(customer_new_share_8w=(_.first_week < 8).cast("int64").sum() / ibis._.count())
