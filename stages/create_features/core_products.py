"""Product features: what a product is, how it sells now, and how it sells to customers of one type."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History

# The power comes from data.md's momentum score: between no reaction to the last week and all of it.
MOMENTUM_POWER = 0.6


def product_features(history: History, products: Table) -> Table:
    """The product features that do not depend on the customer, one row a product sold so far.

    Args:
        history: purchases before the cutoff.
        products: the columns of PRODUCTS.

    Returns:
        product_id and the features of the group product but the three `product_type_` ones.
    """
    what = products.select(
        "product_id",
        product_brand=_.brand,
        product_sub_category=_.sub_category,
        product_segment=_.segment,
        product_package=_.package,
        product_size_litres=_["size"],
    )
    sold = _sales(history)
    for part in (_customers(history), _repeats(history)):
        sold = sold.left_join(part, "product_id").drop("product_id_right")
    features = sold.left_join(what, "product_id").drop("product_id_right")
    in_last_week = history.weeks.filter(_.week < 1).agg(market_1w=_.count())
    return (
        features.cross_join(in_last_week)
        .mutate(
            product_momentum=((_.product_buyers_1w + 1) / (_.product_buyers_8w + 1)).pow(MOMENTUM_POWER),
            product_share_1w=_.product_buyers_1w / _.market_1w.nullif(0),
            product_change_1w=(_.product_buyers_1w + 1) / (_.product_buyers_2nd_week + 1),
        )
        .drop("market_1w")
    )


def type_features(history: History, customers: Table) -> Table:
    """How each product sells to each type of customer: one row a type and product on sale.

    Args:
        history: purchases before the cutoff.
        customers: the columns of CUSTOMERS; a missing type is a type of its own.

    Returns:
        customer_type (never null), product_id, type_buyers_1w, type_buyers_4w (1/week) and the
        three `product_type_` features.
    """
    typed = customers.select("customer_id", customer_type=_.customer_type.coalesce(""))
    sizes = typed.group_by("customer_type").agg(n_customers=_.count())
    total = typed.agg(n_all=_.count())
    recent = history.weeks.filter(_.week < 4).join(typed, "customer_id")
    by_type = recent.group_by("customer_type", "product_id").agg(
        type_buyers_1w=_.count(where=_.week < 1), type_buyers_4w=_.count() / 4
    )
    overall = recent.group_by("product_id").agg(buyers_4w=_.count() / 4)
    grid = sizes.cross_join(overall).cross_join(total)
    joined = grid.left_join(by_type, ["customer_type", "product_id"]).drop(
        "customer_type_right", "product_id_right"
    )
    return joined.mutate(
        type_buyers_1w=_.type_buyers_1w.coalesce(0), type_buyers_4w=_.type_buyers_4w.coalesce(0)
    ).select(
        "customer_type",
        "product_id",
        "type_buyers_1w",
        "type_buyers_4w",
        product_type_share_1w=_.type_buyers_1w / _.n_customers,
        product_type_share_4w=_.type_buyers_4w / _.n_customers,
        product_type_lift_4w=(_.type_buyers_4w / _.n_customers) / (_.buyers_4w / _.n_all),
    )


def _sales(history: History) -> Table:
    by_week = history.weeks.group_by("product_id", "week").agg(buyers=_.count())

    def mean(weeks: int) -> ibis.Value:
        return _.buyers.sum(where=_.week < weeks).coalesce(0) / weeks

    return (
        by_week.group_by("product_id")
        .agg(
            product_buyers_1w=_.buyers.sum(where=_.week == 0).coalesce(0),
            product_buyers_2nd_week=_.buyers.sum(where=_.week == 1).coalesce(0),
            product_buyers_4w=mean(4),
            product_buyers_8w=mean(8),
            product_buyers_26w=mean(26),
            product_weeks_sold_13w=_.count(where=_.week < 13),
            best_week=_.buyers.max(),
        )
        .mutate(product_peak_ratio=_.product_buyers_1w / _.best_week)
        .drop("best_week")
    )


def _customers(history: History) -> Table:
    return history.days.group_by("product_id").agg(
        product_customers=_.customer_id.nunique(),
        product_age_days=_.age_days.max(),
        product_recency_days=_.age_days.min(),
    )


def _repeats(history: History) -> Table:
    pairs = history.weeks.filter(_.week < 2).group_by("customer_id", "product_id")
    both = pairs.agg(before=(_.week == 1).any(), again=(_.week == 0).any()).filter(_.before)
    return both.group_by("product_id").agg(product_repeat_rate=_.again.cast("int64").sum() / _.count())
