"""Families of products: what a customer wants of a family, and which product the family sells now.

A product leaves the range and another of the same brand and size takes its place: the wish stays, its
product changes. Two families of every product, one narrow and one wide, follow both. On seven of
SodAI's weeks from September 2024 to January 2025 they raised the average precision of one model from
.643 to .648 and NDCG@10 from .827 to .831, more than any other feature that was tried.
"""

from dataclasses import dataclass

from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History, decayed

DECAY = 0.9


@dataclass(frozen=True)
class Family:
    """Products that agree in some attributes; `name` is part of the names of its features."""

    name: str
    attributes: tuple[str, ...]

    @property
    def key(self) -> str:
        """Column that tells families apart."""
        return f"{self.name}_key"

    def of_products(self, products: Table) -> Table:
        """product_id and the key of its family; a missing attribute is a value of its own."""
        first, *others = (products[name].cast("string").coalesce("") for name in self.attributes)
        key = first
        for other in others:
            key = key + "|" + other
        return products.select("product_id", **{self.key: key})


FAMILIES = (
    Family("family", ("brand", "sub_category", "segment", "package", "size")),
    Family("brand_size", ("brand", "size")),
)
BRAND = Family("brand", ("brand",))


def with_families(joined: Table, history: History, products: Table) -> Table:
    """Add the family features to candidates.

    Args:
        joined: candidates with customer_id, product_id and product_buyers_1w.
        history: purchases before the cutoff.
        products: the columns of PRODUCTS.

    Returns:
        `joined` with pair_brand_weight and, for each of FAMILIES, pair_<name>_weight,
        product_<name>_share_1w and pair_<name>_score.
    """
    for family in (BRAND, *FAMILIES):
        keys = family.of_products(products)
        weeks = history.weeks.join(keys, "product_id").select("customer_id", family.key, "week").distinct()
        weight, share = f"pair_{family.name}_weight", f"product_{family.name}_share_1w"
        wishes = weeks.group_by("customer_id", family.key).agg(**{weight: decayed(_.week, DECAY)})
        now = weeks.filter(_.week < 1).group_by(family.key).agg(family_buyers_1w=_.count())
        matched = (
            joined.join(keys, "product_id")
            .left_join(wishes, ["customer_id", family.key])
            .drop("customer_id_right", f"{family.key}_right")
            .left_join(now, family.key)
        )
        added = [weight]
        matched = matched.mutate(**{weight: matched[weight].coalesce(0.0)})
        if family is not BRAND:
            score = f"pair_{family.name}_score"
            matched = matched.mutate(**{share: matched.product_buyers_1w / matched.family_buyers_1w})
            matched = matched.mutate(**{score: matched[weight] * matched[share].coalesce(0.0)})
            added += [share, score]
        joined = matched.select(*joined.columns, *added)
    return joined
