"""The features of a period's candidates: one definition for training and for scoring."""

from dataclasses import dataclass
from datetime import date

from ibis import _
from ibis.expr.types import Table

from create_features.core_candidates import candidates, popular_products
from create_features.core_customers import customer_features
from create_features.core_families import BRAND, FAMILIES, family_products, with_wishes
from create_features.core_history import Hold, Purchases, history_at
from create_features.core_pairs import PAIR, pair_features, with_ratios
from create_features.core_products import product_features, type_features
from create_features.core_time import market_features
from sodai.features import FEATURES
from sodai.periods import Period

_FAMILY_KEYS = [family.key for family in (BRAND, *FAMILIES)]


@dataclass(frozen=True)
class Sources:
    """The tables that features of a period are made of.

    `moment` is one row: the period's cutoff, its end (exclusive), weeks_back (from the cutoff of
    `purchases`) and calendar. `customers` and `products` have the columns of their data sets.
    """

    purchases: Purchases
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

    `products`: a row a product sold so far. `types`: how each product sells to a type of customer.
    `popular`: customer_type and product_id of what is offered to all of a type. `totals`: one row.
    """

    products: Table
    types: Table
    popular: Table
    totals: Table


def market_of(sources: Sources, bounds: Bounds, hold: Hold) -> Market:
    """The market before a period, from the purchases of all customers."""
    history = history_at(sources.purchases, sources.moment)
    products = product_features(history, sources.products)
    products = hold("products", family_products(history, products, sources.products))
    types = type_features(history, sources.customers)
    types = hold("types", types.join(products.select("product_id", "product_buyers_1w"), "product_id"))
    return Market(
        products,
        types.drop("product_buyers_1w"),
        hold("popular", popular_products(types, bounds.n_popular)),
        hold("totals", market_features(history, sources.moment)),
    )


def features_of(sources: Sources, market: Market, shard: Table, bounds: Bounds, hold: Hold) -> Table:
    """The candidates of some customers with their features, from purchases before a period alone.

    Args:
        sources: purchases may reach beyond the cutoff; what lies there is not seen.
        market: of the same period.
        shard: the customers whose candidates are wanted, with the columns of CUSTOMERS.
        bounds: of candidates a customer.
        hold: keeps what several features read.

    Returns:
        customer_id, product_id and the 72 features in the order and types of the catalogue, one
        row a candidate, in no order.
    """
    own = history_at(sources.purchases, sources.moment).of(shard, hold)
    pairs = hold("pairs", pair_features(own))
    customers = hold("own_customers", customer_features(own, shard))
    chosen = candidates(shard, pairs, market.popular, bounds.max_bought)
    joined = (
        chosen.join(customers, "customer_id")
        .join(market.products, "product_id")
        .left_join(pairs, PAIR)
        .drop("customer_id_right", "product_id_right")
    )
    joined = with_wishes(
        _with_type(joined, market.types), own, market.products.select("product_id", *_FAMILY_KEYS)
    )
    # Held, because what follows names it many times, and each time it would be built anew.
    joined = hold("joined", joined)
    joined = with_ratios(joined.cross_join(market.totals))
    return joined.select(
        *PAIR,
        **{
            feature.name: joined[feature.name].cast("string" if feature.categorical else "float32")
            for feature in FEATURES
        },
    )


def with_target(features: Table, sources: Sources) -> Table:
    """Add `cutoff` and `target`: 1 if the pair was bought in the period, else 0."""
    when = sources.moment.select("cutoff", "end")
    dated = sources.purchases.days.cross_join(when)
    inside = dated.filter(_.purchase_date >= _.cutoff, _.purchase_date < _.end)
    bought = inside.select(PAIR).distinct().mutate(bought=True)
    joined = features.left_join(bought, PAIR).drop("customer_id_right", "product_id_right")
    joined = joined.cross_join(when.select("cutoff"))
    return joined.mutate(target=_.bought.coalesce(False).cast("int8"))


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


def _with_type(joined: Table, types: Table) -> Table:
    keyed = joined.mutate(type_key=_.customer_type.coalesce(""))
    columns = [name for name in types.columns if name.startswith("product_type_")]
    typed = types.select("product_id", *columns, type_key=_.customer_type)
    matched = keyed.left_join(typed, ["type_key", "product_id"]).select(*joined.columns, *columns)
    shares = [name for name in columns if "share" in name]
    return matched.mutate(**{name: matched[name].coalesce(0.0) for name in shares})
