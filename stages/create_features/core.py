"""The features of a period's candidates: one definition for training and for scoring."""

from dataclasses import dataclass
from datetime import date

from ibis import _
from ibis.expr.types import Table

from create_features.core_candidates import candidates, popular_products
from create_features.core_customers import customer_features
from create_features.core_families import BRAND, FAMILIES, family_products, with_wishes
from create_features.core_history import History, Hold
from create_features.core_pairs import pair_features, with_ratios
from create_features.core_products import by_type, product_features, sales_at, type_features
from create_features.core_time import market_features
from sodai.data.catalog import PAIR
from sodai.data.feature_catalog import FEATURES
from sodai.data.periods import DAYS_PER_WEEK, Period

_FAMILY_KEYS = [family.key for family in (BRAND, *FAMILIES)]


@dataclass(frozen=True)
class Sources:
    """The tables that features of a period are made of.

    `history` is of the run, `sales` the columns of `weekly_sales` of it. `customers` and `products` have
    the columns of their data sets, customers known_days too. `moment` is one row: cutoff, horizon_days
    and calendar of the period, and weeks_back from the run's cutoff to its own.
    """

    history: History
    sales: Table
    customers: Table
    products: Table
    moment: Table


@dataclass(frozen=True)
class Bounds:
    """How many candidates a customer may have: bought before, and selling now to its type."""

    max_bought: int = 200
    n_popular: int = 30


@dataclass(frozen=True)
class Market:
    """What is the same for every customer of a period, each table small.

    `products`: a row a type of customer (type_key) and product sold so far. `popular`: customer_type and
    product_id of what is offered to all of a type. `totals`: one row.
    """

    products: Table
    popular: Table
    totals: Table


def market_of(sources: Sources, bounds: Bounds, hold: Hold) -> Market:
    """The market before a period, from the purchases of all customers."""
    sales = hold("sales_at", sales_at(sources.sales, sources.moment))
    weeks = sources.history.weeks.cross_join(sources.moment.select("weeks_back"))
    newest = hold("newest", weeks.filter(_.week == _.weeks_back).select(PAIR))
    products = product_features(sales, sources.products)
    products = hold("sold", family_products(newest, products, sources.products))
    customers = sources.customers.cross_join(sources.moment.select("weeks_back"))
    customers = customers.mutate(is_known=(_.known_days > DAYS_PER_WEEK * _.weeks_back).coalesce(False))
    types = type_features(sales, customers)
    types = hold("types", types.join(products.select("product_id", "product_buyers_1w"), "product_id"))
    return Market(
        hold("products", by_type(products, types, sources.customers)),
        hold("popular", popular_products(types, bounds.n_popular)),
        hold("totals", market_features(sales, sources.moment)),
    )


def candidates_of(sources: Sources, market: Market, shard: Table, bounds: Bounds, hold: Hold) -> Table:
    """The candidates of some customers with their features, from purchases before a period alone.

    Args:
        sources: the history may reach beyond the cutoff; no feature sees what lies there.
        market: of the same period.
        shard: the customers whose candidates are wanted, with the columns of CUSTOMERS.
        bounds: of candidates a customer.
        hold: keeps what several features read.

    Returns:
        customer_id, product_id, cutoff, target (1 if the pair was bought in the period, else 0) and the
        72 features in the types of the catalogue, one row a candidate, in no order.
    """
    whole = sources.history.of(shard).held("whole", hold)
    own = whole.at(sources.moment).held("own", hold)
    pairs = hold("pairs", pair_features(own))
    customers = hold("own_customers", customer_features(own, pairs, shard))
    keyed = customers.mutate(type_key=_.customer_type.coalesce(""))
    joined = (
        candidates(shard, pairs, market.popular, bounds.max_bought)
        .join(keyed, "customer_id")
        .join(market.products, ["type_key", "product_id"])
        .left_join(pairs, PAIR, rname="{name}_of_pair")
        .left_join(_bought(whole, sources.moment), PAIR, rname="{name}_of_target")
        .cross_join(market.totals)
        .cross_join(sources.moment.select("cutoff"))
    )
    keys = market.products.select("product_id", *_FAMILY_KEYS).distinct()
    joined = with_ratios(with_wishes(joined, own, pairs, keys))
    features = {
        feature.name: joined[feature.name].cast("string" if feature.categorical else "float32")
        for feature in FEATURES
    }
    return joined.select(*PAIR, "cutoff", target=_.target.coalesce(False).cast("int8"), **features)


def training_periods(
    period: Period, first_purchase: date, wanted: int, min_history_days: int
) -> list[Period]:
    """The closed periods before `period` to learn from, newest first.

    Each has at least one whole period of purchases before it, which its volume is forecast from.

    Args:
        period: the period to predict.
        first_purchase: date of the oldest purchase.
        wanted: how many at most.
        min_history_days: purchases of so many days must lie before a period.
    """
    past = [period.back(steps) for steps in range(1, wanted + 1)]
    history_days = max(min_history_days, period.step_days)
    return [p for p in past if (p.as_of - first_purchase).days >= history_days]


def _bought(whole: History, moment: Table) -> Table:
    """The pairs bought in the period, with a true target."""
    dated = whole.days.cross_join(moment.select("weeks_back", "horizon_days"))
    # Days from the cutoff on: 0 is the first of the period.
    dated = dated.mutate(day=_.weeks_back * DAYS_PER_WEEK - _.age_days)
    inside = dated.filter(_.day >= 0, _.day < _.horizon_days)
    return inside.select(PAIR).distinct().mutate(target=True)
