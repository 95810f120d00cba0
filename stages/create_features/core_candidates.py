"""Candidates: the customer-product pairs that are scored, a bounded number for each customer."""

from dataclasses import dataclass

import ibis
from ibis import _
from ibis.expr.types import Table

from sodai.data.catalog import PAIR


@dataclass(frozen=True)
class Bounds:
    """How many candidates a customer may have: bought before, and selling now to its type."""

    max_bought: int = 200
    n_popular: int = 30


def select_popular_products(types: Table, n_popular: int) -> Table:
    """Return the products that sell best to each type of customer.

    Args:
        types: the columns of `compute_type_features`, and product_buyers_1w.
        n_popular: products of a type.

    Returns:
        customer_type, product_id.
    """
    # The last tie-breakers give candidates to types that bought nothing in four weeks.
    order = ibis.window(
        group_by="customer_type",
        order_by=[
            ibis.desc("type_buyers_1w"),
            ibis.desc("type_buyers_4w"),
            ibis.desc("product_buyers_1w"),
            "product_id",
        ],
    )
    ranked = types.mutate(position=ibis.row_number().over(order)).filter(_.position < n_popular)
    return ranked.select("customer_type", "product_id")


def select_candidates(customers: Table, pairs: Table, popular: Table, max_bought: int) -> Table:
    """Return the products that each customer bought before, and those that sell now to its type.

    Args:
        customers: the columns of CUSTOMERS.
        pairs: the columns of `compute_pair_features`.
        popular: what `select_popular_products` returns.
        max_bought: a customer's products with the smallest pair_position that are kept.

    Returns:
        customer_id, product_id, distinct.
    """
    bought = pairs.filter(_.pair_position <= max_bought).select(PAIR)
    typed = customers.select("customer_id", customer_type=_.customer_type.coalesce(""))
    offered = typed.join(popular, "customer_type").select(PAIR)
    return ibis.union(bought, offered, distinct=True)
