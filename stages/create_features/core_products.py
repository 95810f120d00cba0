"""Product features: attributes, how a product sells now, and how it sells to customers of one type."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History
from sodai.data.periods import DAYS_PER_WEEK

# Between no reaction to the last week, 0, and all of it, 1. The momentum score is a pair's purchases, each
# worth .9 of one a week later, times the product's momentum, plus 5 times its share of the last week: recall
# at 10 of .861 on four of SodAI's weeks from 30 December 2024, where the purchases alone came to .825.
MOMENTUM_POWER = 0.6


def count_weekly_sales(history: History, customers: Table) -> Table:
    """Count the buyers of each product, week and type of customer.

    Args:
        history: purchases before the run's own cutoff.
        customers: the columns of CUSTOMERS; a missing type is a type of its own.

    Returns:
        customer_type (never null), product_id, week, n_buyers, n_again (those who bought it in the week
        before too), n_new (those who never had), first_age_days and last_age_days of a sale.
    """
    typed = customers.select("customer_id", customer_type=_.customer_type.coalesce(""))
    # Days from the purchase before to the end of this one's week: below 14 it was in the week before.
    since = (_.age_days - 1) % DAYS_PER_WEEK + _.gap_days
    by_week = history.days.join(typed, "customer_id").group_by("customer_type", "product_id", "week")
    return by_week.agg(
        n_buyers=_.opens_week.sum(),
        n_again=_.opens_week.sum(where=since < 2 * DAYS_PER_WEEK).coalesce(0),
        n_new=_.count(where=_.gap_days.isnull()),
        first_age_days=_.age_days.max(),
        last_age_days=_.age_days.min(),
    )


def shift_sales(sales: Table, cutoff_row: Table) -> Table:
    """Return the sales known at the cutoff of an earlier period, with weeks and ages counted from there.

    Args:
        sales: the columns of `count_weekly_sales`.
        cutoff_row: one row: weeks_back, from the run's own cutoff to that one.
    """
    known = sales.cross_join(cutoff_row.select("weeks_back")).filter(_.week >= _.weeks_back)
    days_back = DAYS_PER_WEEK * known.weeks_back
    return known.mutate(
        week=_.week - _.weeks_back,
        first_age_days=_.first_age_days - days_back,
        last_age_days=_.last_age_days - days_back,
    ).drop("weeks_back")


def compute_product_features(sales: Table, products: Table) -> Table:
    """Return the product features that do not depend on the customer, one row a product sold so far.

    Args:
        sales: the columns of `count_weekly_sales`, from the cutoff of the period.
        products: the columns of PRODUCTS.

    Returns:
        product_id and the features of the group product without the three `product_type_` ones and those
        of `add_family_shares`.
    """
    attributes = products.select(
        "product_id",
        product_brand=_.brand,
        product_sub_category=_.sub_category,
        product_segment=_.segment,
        product_package=_.package,
        product_size_litres=_["size"],
    )
    features = _sales_features(sales).left_join(attributes, "product_id").drop("product_id_right")
    in_last_week = sales.filter(_.week < 1).agg(market_1w=_.n_buyers.sum())
    return (
        features.cross_join(in_last_week)
        .mutate(
            product_momentum=((_.product_buyers_1w + 1) / (_.product_buyers_8w + 1)).pow(MOMENTUM_POWER),
            product_share_1w=_.product_buyers_1w / _.market_1w.nullif(0),
            product_change_1w=(_.product_buyers_1w + 1) / (_.product_buyers_2nd_week + 1),
        )
        .drop("market_1w")
    )


def compute_type_features(sales: Table, customers: Table) -> Table:
    """Return how each product sells to each type of customer: one row a type and product on sale.

    Args:
        sales: the columns of `count_weekly_sales`, from the cutoff of the period.
        customers: the columns of CUSTOMERS and is_known, whether it bought anything before the cutoff;
            shares are of the known ones. A missing type is a type of its own.

    Returns:
        customer_type (never null), product_id, type_buyers_1w, type_buyers_4w (1/week) and the
        three `product_type_` features.
    """
    typed = customers.select("is_known", customer_type=_.customer_type.coalesce(""))
    sizes = typed.group_by("customer_type").agg(n_known=_.count(where=_.is_known))
    sizes = sizes.mutate(n_customers=_.n_known.nullif(0)).drop("n_known")
    total = typed.agg(n_all=_.count(where=_.is_known))
    recent = sales.filter(_.week < 4)
    by_type = recent.group_by("customer_type", "product_id").agg(
        type_buyers_1w=_.n_buyers.sum(where=_.week < 1), type_buyers_4w=_.n_buyers.sum() / 4
    )
    overall = recent.group_by("product_id").agg(buyers_4w=_.n_buyers.sum() / 4)
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


def cross_with_types(products: Table, types: Table, customers: Table) -> Table:
    """Return all product features, one row for each product and type of customer.

    Args:
        products: with product_id; each gets a row for every type.
        types: the columns of `compute_type_features`.
        customers: the columns of CUSTOMERS.

    Returns:
        type_key (the type, "" where it is missing), the columns of `products` and the three
        `product_type_` features.
    """
    keys = customers.select(type_key=_.customer_type.coalesce("")).distinct()
    figures = [name for name in types.columns if name.startswith("product_type_")]
    typed = types.select("product_id", *figures, type_key=_.customer_type)
    grid = products.cross_join(keys).left_join(typed, ["product_id", "type_key"])
    grid = grid.drop("product_id_right", "type_key_right")
    return grid.mutate(**{name: grid[name].coalesce(0.0) for name in figures if "share" in name})


def _sales_features(sales: Table) -> Table:
    """Return the features of sales to all types of customers, one row a product sold so far."""
    by_week = sales.group_by("product_id", "week").agg(
        buyers=_.n_buyers.sum(),
        again=_.n_again.sum(),
        new=_.n_new.sum(),
        first_age_days=_.first_age_days.max(),
        last_age_days=_.last_age_days.min(),
    )

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
            product_customers=_.new.sum(),
            product_age_days=_.first_age_days.max(),
            product_recency_days=_.last_age_days.min(),
            best_week=_.buyers.max(),
            bought_again=_.again.sum(where=_.week == 0).coalesce(0),
        )
        .mutate(
            product_peak_ratio=_.product_buyers_1w / _.best_week,
            product_repeat_rate=_.bought_again / _.product_buyers_2nd_week.nullif(0),
        )
        .drop("best_week", "bought_again")
    )
