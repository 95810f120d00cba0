"""The features of a period's candidates: one definition for training and for scoring."""

from dataclasses import dataclass

from ibis import _
from ibis.expr.types import Table

from create_features.core_candidates import Bounds, select_candidates, select_popular_products
from create_features.core_customers import compute_customer_features
from create_features.core_history import History, Materialize
from create_features.core_market import compute_market_features
from create_features.core_pairs import add_ratios, compute_pair_features
from create_features.core_product_families import BRAND, FAMILIES, add_family_affinity, add_family_shares
from create_features.core_products import (
    compute_product_features,
    compute_type_features,
    cross_with_types,
    shift_sales,
)
from sodai.data.catalog import PAIR
from sodai.data.feature_catalog import FEATURES
from sodai.data.periods import DAYS_PER_WEEK

_FAMILY_KEYS = [family.key for family in (BRAND, *FAMILIES)]


@dataclass(frozen=True)
class Sources:
    """The tables from which the features of a period are computed.

    Args:
        history: purchases before the run's own cutoff.
        sales: its `count_weekly_sales`.
        customers: the columns of CUSTOMERS and known_days.
        products: the columns of PRODUCTS.
        cutoff_row: one row: cutoff, horizon_days and calendar of the period, and weeks_back from the run's
            cutoff to its own.
    """

    history: History
    sales: Table
    customers: Table
    products: Table
    cutoff_row: Table


@dataclass(frozen=True)
class MarketTables:
    """Small tables that are the same for every customer of a period.

    Args:
        products: one row for each type of customer (type_key) and product sold so far, with its features.
        popular: customer_type and product_id of the products offered to all customers of a type.
        totals: one row, the time features.
    """

    products: Table
    popular: Table
    totals: Table


def compute_market(sources: Sources, bounds: Bounds, materialize: Materialize) -> MarketTables:
    """Return the market before a period, from the purchases of all customers."""
    sales = materialize("period_sales", shift_sales(sources.sales, sources.cutoff_row))
    weeks = sources.history.weeks.cross_join(sources.cutoff_row.select("weeks_back"))
    newest = materialize("newest", weeks.filter(_.week == _.weeks_back).select(PAIR))
    sold = compute_product_features(sales, sources.products)
    sold = materialize("sold", add_family_shares(sold, newest, sources.products))
    customers = sources.customers.cross_join(sources.cutoff_row.select("weeks_back"))
    customers = customers.mutate(is_known=(_.known_days > DAYS_PER_WEEK * _.weeks_back).coalesce(False))
    types = compute_type_features(sales, customers)
    types = materialize("types", types.join(sold.select("product_id", "product_buyers_1w"), "product_id"))
    return MarketTables(
        materialize("products", cross_with_types(sold, types, sources.customers)),
        materialize("popular", select_popular_products(types, bounds.n_popular)),
        materialize("totals", compute_market_features(sales, sources.cutoff_row)),
    )


def compute_candidates(
    sources: Sources, market: MarketTables, batch: Table, bounds: Bounds, materialize: Materialize
) -> Table:
    """Return the candidates of some customers with their features, from purchases before a period alone.

    Args:
        sources: the history may reach beyond the cutoff of the period; no feature reads later rows.
        market: of the same period.
        batch: some customers, with the columns of CUSTOMERS.
        bounds: of candidates a customer.
        materialize: computes each table that several features read.

    Returns:
        customer_id, product_id, cutoff, target (1 if the pair was bought in the period, else 0) and the
        72 features in the types of the catalog, one row a candidate, in no order.
    """
    whole = sources.history.of_customers(batch).materialize("whole", materialize)
    own = whole.shift_to(sources.cutoff_row).materialize("own", materialize)
    pairs = materialize("pairs", compute_pair_features(own))
    customers = materialize("own_customers", compute_customer_features(own, pairs, batch))
    keyed = customers.mutate(type_key=_.customer_type.coalesce(""))
    joined = (
        select_candidates(batch, pairs, market.popular, bounds.max_bought)
        .join(keyed, "customer_id")
        .join(market.products, ["type_key", "product_id"])
        .left_join(pairs, PAIR, rname="{name}_of_pair")
        .left_join(_bought_pairs(whole, sources.cutoff_row), PAIR, rname="{name}_of_target")
        .cross_join(market.totals)
        .cross_join(sources.cutoff_row.select("cutoff"))
    )
    keys = market.products.select("product_id", *_FAMILY_KEYS).distinct()
    joined = add_ratios(add_family_affinity(joined, own, pairs, keys))
    features = {
        feature.name: joined[feature.name].cast("string" if feature.categorical else "float32")
        for feature in FEATURES
    }
    return joined.select(*PAIR, "cutoff", target=_.target.coalesce(False).cast("int8"), **features)


def _bought_pairs(whole: History, cutoff_row: Table) -> Table:
    """Return the pairs bought in the period, with target = true."""
    dated = whole.days.cross_join(cutoff_row.select("weeks_back", "horizon_days"))
    # Days from the cutoff on: 0 is the first of the period.
    dated = dated.mutate(day=_.weeks_back * DAYS_PER_WEEK - _.age_days)
    inside = dated.filter(_.day >= 0, _.day < _.horizon_days)
    return inside.select(PAIR).distinct().mutate(target=True)
