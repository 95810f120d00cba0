"""Candidates: which customer-product pairs are worth a score, bounded for each customer."""

import ibis
from ibis import _
from ibis.expr.types import Table

from sodai.data.catalog import PAIR


def popular_products(types: Table, n_popular: int) -> Table:
    """What sells now to customers of each type: the products with most buyers of the type last week,
    then in four weeks, then among all; so customers without history have candidates too.

    Args:
        types: the columns of `type_features`, and product_buyers_1w.
        n_popular: products a type.

    Returns:
        customer_type, product_id.
    """
    order = ibis.window(
        group_by="customer_type",
        order_by=[
            ibis.desc("type_buyers_1w"),
            ibis.desc("type_buyers_4w"),
            ibis.desc("product_buyers_1w"),
            "product_id",
        ],
    )
    placed = types.mutate(place=ibis.row_number().over(order)).filter(_.place < n_popular)
    return placed.select("customer_type", "product_id")


def candidates(customers: Table, pairs: Table, popular: Table, max_bought: int) -> Table:
    """What each customer bought before, and what sells now to customers of its type.

    Args:
        customers: the columns of CUSTOMERS.
        pairs: the columns of `pair_features`; a customer's best `max_bought` by pair_position.
        popular: what `popular_products` returns.
        max_bought: bound of the first part, for each customer.

    Returns:
        customer_id, product_id, distinct.
    """
    bought = pairs.filter(_.pair_position <= max_bought).select(PAIR)
    typed = customers.select("customer_id", customer_type=_.customer_type.coalesce(""))
    offered = typed.join(popular, "customer_type").select(PAIR)
    return ibis.union(bought, offered, distinct=True)
