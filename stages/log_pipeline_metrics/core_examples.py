"""One customer of each type, and its recommendations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from log_pipeline_metrics.core_week import Record

N_PRODUCTS = 5


@dataclass(frozen=True)
class TypicalCustomer:
    """The customer that represents the `n_customers` of its type."""

    customer_type: str
    n_customers: int
    customer_id: int


@dataclass(frozen=True)
class Example:
    """A typical customer and the first products of its list."""

    customer: TypicalCustomer
    products: Sequence[Record]


def typical_customers(customers: pd.DataFrame) -> list[TypicalCustomer]:
    """Return the customer of every type with the median expected number of purchases.

    Args:
        customers: customer_id, customer_type (may be null), expected (purchases on its list) of every
            customer with a list.

    Returns:
        one per type, the most frequent type first.
    """
    typed = customers.assign(type=customers["customer_type"].astype(object).fillna("type not known"))
    typical = []
    for customer_type, members in typed.sort_values(["expected", "customer_id"]).groupby("type"):
        median = members["customer_id"].iloc[(len(members) - 1) // 2]
        typical.append(TypicalCustomer(str(customer_type), len(members), int(median)))
    return sorted(typical, key=lambda each: (-each.n_customers, each.customer_type))


def example_of(customer: TypicalCustomer, products: Sequence[Record], names: Mapping[int, str]) -> Example:
    """Return the first products of a customer's list with their names.

    Args:
        customer: from `typical_customers`.
        products: its list in RECOMMENDATIONS: product_id, probability, rank, selected, reasons.
        names: product_id -> name; a missing product has no name.
    """
    shown = [{**item, "name": names.get(item["product_id"], "")} for item in products[:N_PRODUCTS]]
    return Example(customer, shown)


def product_name(product: Record) -> str:
    """Return brand, sub-category, package and size of a product, as far as they are known."""
    words = [product[name] for name in ("brand", "sub_category", "package") if product[name]]
    if product["size"] is not None:
        words.append(f"{product['size']:g} l")
    return ", ".join(words)
