"""The features of a period's candidates: one definition for training and for scoring."""

from dataclasses import dataclass
from datetime import date

from ibis import _
from ibis.expr.types import Table

from create_features.core_candidates import candidates
from create_features.core_customers import customer_features
from create_features.core_families import with_families
from create_features.core_history import Hold, history_before
from create_features.core_pairs import PAIR, pair_features, with_ratios
from create_features.core_products import product_features, type_features
from create_features.core_time import market_features
from create_features.core_volume import Forecast
from sodai.features import FEATURES
from sodai.periods import Period


@dataclass(frozen=True)
class Sources:
    """The tables that features are made of, with the columns of their data sets, and how to hold a step."""

    transactions: Table
    customers: Table
    products: Table
    hold: Hold


@dataclass(frozen=True)
class Bounds:
    """How many candidates a customer may have: bought before, and selling now to its type."""

    max_bought: int = 200
    n_popular: int = 30


def features_of(sources: Sources, forecast: Forecast, bounds: Bounds) -> Table:
    """The candidates of a period with their features, from purchases before it alone.

    Args:
        sources: purchases may reach beyond the cutoff; what lies there is not seen.
        forecast: of the period; the `as_of` of that is the cutoff.
        bounds: of candidates a customer.

    Returns:
        customer_id, product_id and the 72 features in the order and types of the catalogue, one
        row a candidate, in no order.
    """
    history = history_before(sources.transactions, forecast.period.as_of, sources.hold)
    pairs = sources.hold("pairs", pair_features(history))
    products = sources.hold("products", product_features(history, sources.products))
    by_type = type_features(history, sources.customers)
    by_type = by_type.join(products.select("product_id", "product_buyers_1w"), "product_id")
    by_type = sources.hold("types", by_type)
    chosen = candidates(sources.customers, pairs, by_type, bounds.max_bought, bounds.n_popular)
    joined = (
        chosen.join(customer_features(history, sources.customers), "customer_id")
        .join(products, "product_id")
        .left_join(pairs, PAIR)
        .drop("customer_id_right", "product_id_right")
    )
    joined = _with_type(joined, by_type)
    # Held, because what follows names it many times, and each time it would be built and compiled anew.
    joined = with_families(sources.hold("typed", joined), history, sources.products)
    joined = sources.hold("with_families", joined)
    joined = with_ratios(joined.cross_join(market_features(history, forecast)))
    return joined.select(
        *PAIR,
        **{
            feature.name: joined[feature.name].cast("string" if feature.categorical else "float32")
            for feature in FEATURES
        },
    )


def with_target(features: Table, transactions: Table, period: Period) -> Table:
    """Add `target`: 1 if the pair was bought in the period, else 0."""
    inside = (_.purchase_date >= period.as_of) & (_.purchase_date < period.end)
    bought = transactions.filter(inside).select(PAIR).distinct().mutate(bought=True)
    joined = features.left_join(bought, PAIR).drop("customer_id_right", "product_id_right")
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


def _with_type(joined: Table, by_type: Table) -> Table:
    keyed = joined.mutate(type_key=_.customer_type.coalesce(""))
    columns = [name for name in by_type.columns if name.startswith("product_type_")]
    typed = by_type.select("product_id", *columns, type_key=_.customer_type)
    matched = keyed.left_join(typed, ["type_key", "product_id"]).select(*joined.columns, *columns)
    shares = [name for name in columns if "share" in name]
    return matched.mutate(**{name: matched[name].coalesce(0.0) for name in shares})
