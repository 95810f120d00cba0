"""One customer of each kind and what is recommended to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

Record = Mapping[str, Any]

N_PRODUCTS = 5


@dataclass(frozen=True)
class Ordinary:
    """The customer that stands for the `n_customers` of its type."""

    customer_type: str
    n_customers: int
    customer_id: int


@dataclass(frozen=True)
class Example:
    """An ordinary customer and the top of its list."""

    customer: Ordinary
    products: Sequence[Record]


def ordinary_customers(customers: pd.DataFrame) -> list[Ordinary]:
    """The most ordinary customer of every type: the one with the median expected number of purchases.

    Args:
        customers: customer_id, customer_type (may be null), expected (purchases on its list) of every
            customer with a list.

    Returns:
        One a type, the most frequent type first.
    """
    kinds = customers.assign(kind=customers["customer_type"].astype(object).fillna("type not known"))
    found = []
    for kind, members in kinds.sort_values(["expected", "customer_id"]).groupby("kind"):
        chosen = members["customer_id"].iloc[(len(members) - 1) // 2]
        found.append(Ordinary(str(kind), len(members), int(chosen)))
    return sorted(found, key=lambda each: (-each.n_customers, each.customer_type))


def example_of(customer: Ordinary, products: Sequence[Record], named: Mapping[int, str]) -> Example:
    """The example that a customer is.

    Args:
        customer: of `ordinary_customers`.
        products: its list in RECOMMENDATIONS: product_id, probability, rank, selected, reasons.
        named: what products are, by product_id; those that are missing have no name.
    """
    shown = [{**item, "name": named.get(item["product_id"], "")} for item in products[:N_PRODUCTS]]
    return Example(customer, shown)


def product_name(product: Record) -> str:
    """What a product is in a few words: brand, sub-category, package, size."""
    words = [product[name] for name in ("brand", "sub_category", "package") if product[name]]
    if product["size"] is not None:
        words.append(f"{product['size']:g} l")
    return ", ".join(words)
