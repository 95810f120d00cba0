"""One customer of each kind and what is recommended to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

N_PRODUCTS = 5


@dataclass(frozen=True)
class Example:
    """The top of one customer's list; it stands for the `n_customers` of its type."""

    customer_type: str
    n_customers: int
    customer_id: int
    products: Sequence[Record]


def choose_examples(
    index: Mapping[str, Sequence[Record]], customers: Sequence[Record], products: Sequence[Record]
) -> list[Example]:
    """The most ordinary customer of every type: the one with the median expected number of purchases.

    Args:
        index: `customers` of RECOMMENDATIONS: text customer_id -> products with product_id,
            probability, rank, selected, reasons.
        customers: customer_id, customer_type (may be None).
        products: the columns of PRODUCTS.

    Returns:
        One example a type, the most frequent type first.
    """
    names = {product["product_id"]: product_name(product) for product in products}
    of_kind: dict[str, list[int]] = {}
    for customer in customers:
        if index.get(str(customer["customer_id"])):
            kind = customer["customer_type"] or "type not known"
            of_kind.setdefault(kind, []).append(customer["customer_id"])
    examples = []
    for kind, members in sorted(of_kind.items(), key=lambda item: (-len(item[1]), item[0])):
        by_volume = sorted((_expected(index[str(member)]), member) for member in members)
        chosen = by_volume[(len(by_volume) - 1) // 2][1]
        shown = [{**item, "name": names.get(item["product_id"], "")} for item in index[str(chosen)]]
        examples.append(Example(kind, len(members), chosen, shown[:N_PRODUCTS]))
    return examples


def product_name(product: Record) -> str:
    """What a product is in a few words: brand, sub-category, package, size."""
    words = [product[name] for name in ("brand", "sub_category", "package") if product[name]]
    if product["size"] is not None:
        words.append(f"{product['size']:g} l")
    return ", ".join(words)


def _expected(products: Sequence[Record]) -> float:
    return sum(product["probability"] for product in products)
