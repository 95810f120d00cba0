"""Families of similar products: how much a customer buys of a family, and which of it sells now.

When a product leaves the range, a similar one replaces it and customers go on buying the family. Each
product has a narrow and a wide family. On seven of SodAI's weeks from September 2024 to January 2025 they
raised the average precision of one model from .643 to .648 and NDCG@10 from .827 to .831, more than any
other feature that was tried.
"""

from dataclasses import dataclass

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History, decayed_sum
from sodai.data.catalog import PAIR

DECAY = 0.9  # That of pair_weight_90.


@dataclass(frozen=True)
class Family:
    """Products with the same values of some attributes; `name` is part of the names of its features."""

    name: str
    attributes: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the column that identifies the family."""
        return f"{self.name}_key"

    def assign_keys(self, products: Table) -> Table:
        """Return product_id and the key of its family; a missing attribute counts as a value of its own."""
        first, *others = (products[name].cast("string").coalesce("") for name in self.attributes)
        text = first
        for other in others:
            text = text + "|" + other
        # Numbers, because joins of candidates and purchases compare them a million times over.
        number = ibis.dense_rank().over(order_by=text)
        return products.select("product_id", **{self.key: number})


FAMILIES = (
    Family("family", ("brand", "sub_category", "segment", "package", "size")),
    Family("brand_size", ("brand", "size")),
)
BRAND = Family("brand", ("brand",))


def add_family_shares(sold: Table, newest: Table, products: Table) -> Table:
    """Add to products the keys of their families, and their share of each family's buyers last week.

    Args:
        sold: product_id and product_buyers_1w.
        newest: customer_id and product_id of the pairs of the last week before the cutoff.
        products: the columns of PRODUCTS.

    Returns:
        `sold` with the key of each family, and product_<name>_share_1w for each of FAMILIES.
    """
    for family in (BRAND, *FAMILIES):
        keys = family.assign_keys(products)
        sold = sold.join(keys, "product_id")
        if family is not BRAND:
            buyers = newest.join(keys, "product_id").select("customer_id", family.key).distinct()
            counts = buyers.group_by(family.key).agg(family_buyers_1w=_.count())
            matched = sold.left_join(counts, family.key).drop(f"{family.key}_right")
            share = matched.product_buyers_1w / matched.family_buyers_1w
            sold = matched.mutate(**{f"product_{family.name}_share_1w": share}).drop("family_buyers_1w")
    return sold


def add_family_affinity(joined: Table, own: History, pairs: Table, keys: Table) -> Table:
    """Add to candidates how much their customer bought of the product's families.

    Args:
        joined: candidates with customer_id and the columns of `add_family_shares`.
        own: purchases of these customers.
        pairs: the columns of `compute_pair_features`, of the same purchases.
        keys: product_id and the key of each family.

    Returns:
        `joined` with pair_brand_weight and, for each of FAMILIES, pair_<name>_weight and
        pair_<name>_score.
    """
    figures = {}
    matched = joined
    for family in (BRAND, *FAMILIES):
        weight = f"pair_{family.name}_weight"
        weights = _family_weights(own.weeks, pairs, keys.select("product_id", family.key), family.key, weight)
        matched = matched.left_join(weights, ["customer_id", family.key], rname=f"{family.name}_{{name}}")
        figures[weight] = _[weight].coalesce(0.0)
        if family is not BRAND:
            share = _[f"product_{family.name}_share_1w"].coalesce(0.0)
            figures[f"pair_{family.name}_score"] = figures[weight] * share
    return matched.select(*joined.columns, **figures)


def _family_weights(weeks: Table, pairs: Table, keys: Table, key: str, weight: str) -> Table:
    """Return customer_id, family key and the decayed sum of weeks, of each family that a customer bought."""
    own = ["customer_id", key]
    of_family = pairs.join(keys, "product_id").select(*own, "product_id", "pair_weight_90")
    bought = of_family.group_by(own).agg(n_products=_.count(), single_weight=_.pair_weight_90.max())
    # Weeks are read only where a customer bought several products; the weight of a single one is known.
    several = of_family.semi_join(bought.filter(_.n_products > 1), own).drop("pair_weight_90")
    shared = weeks.join(several, PAIR).select(*own, "week").distinct()
    shared = shared.group_by(own).agg(shared_weight=decayed_sum(_.week, DECAY))
    matched = bought.left_join(shared, own)
    return matched.select(*own, **{weight: matched.shared_weight.coalesce(matched.single_weight)})
