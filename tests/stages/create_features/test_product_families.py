"""Product families: their members, how much customers buy of them, and their shares of current sales."""

import pandas as pd
import pytest
from ibis.expr.types import Table

from create_features.core_history import History, decayed_sum
from create_features.core_product_families import (
    BRAND,
    DECAY,
    FAMILIES,
    Family,
    add_family_affinity,
    add_family_shares,
)
from stages.create_features.conftest import MakeTable

A, B, C = 1, 2, 3
# OLD and NEW are one family, in which NEW replaces OLD; CAN has only their brand and size, BIG only their
# brand; PLAIN and BARE lack the same attributes, NAMED lacks them except the brand.
OLD, NEW, CAN, BIG, PLAIN, BARE, NAMED = range(11, 18)
ATTRIBUTES = ["brand", "sub_category", "segment", "package", "size"]
PRODUCTS = [
    (OLD, "Cola", "GASEOSAS", "LOW", "BOTELLA", 0.5),
    (NEW, "Cola", "GASEOSAS", "LOW", "BOTELLA", 0.5),
    (CAN, "Cola", "GASEOSAS", "LOW", "LATA", 0.5),
    (BIG, "Cola", "GASEOSAS", "LOW", "BOTELLA", 1.5),
    (PLAIN, None, "AGUAS", "LOW", None, None),
    (BARE, None, "AGUAS", "LOW", None, None),
    (NAMED, "Agua", "AGUAS", "LOW", None, None),
]
# Customer, product, week (0 = the last).
WEEKS = [
    (A, OLD, 2), (A, OLD, 1), (A, NEW, 1), (A, NEW, 0), (A, CAN, 3),
    (B, NEW, 0), (B, CAN, 0),
    (C, OLD, 0), (C, PLAIN, 4), (C, BARE, 0),
]  # fmt: skip
CANDIDATES = [
    (A, OLD, 1), (A, NEW, 2), (A, CAN, 1), (A, BIG, 0), (A, PLAIN, 0),
    (B, NEW, 2),
    (C, PLAIN, 0), (C, BARE, 1), (C, NAMED, 0),
]  # fmt: skip


@pytest.fixture(scope="module")
def products(table: MakeTable) -> Table:
    return table(["product_id", *ATTRIBUTES], PRODUCTS)


@pytest.fixture(scope="module")
def candidates(table: MakeTable, products: Table) -> pd.DataFrame:
    days = table(["customer_id", "product_id", "week", "opens_week"], [(*line, 1) for line in WEEKS])
    joined = table(["customer_id", "product_id", "product_buyers_1w"], CANDIDATES)
    sold = joined.select("product_id", "product_buyers_1w").distinct()
    families = add_family_shares(sold, days.filter(days.week == 0), products)
    joined = joined.drop("product_buyers_1w").join(families, "product_id")
    pairs = days.group_by("customer_id", "product_id").agg(pair_weight_90=decayed_sum(days.week, DECAY))
    rows = add_family_affinity(joined, History(days), pairs, families).drop(
        "brand_key", "family_key", "brand_size_key"
    )
    return rows.to_pandas().set_index(["customer_id", "product_id"])


def _members(family: Family, products: Table) -> set[frozenset[int]]:
    keys = family.assign_keys(products).to_pandas()
    assert keys[family.key].notna().all()
    return {frozenset(own) for _, own in keys.groupby(family.key)["product_id"]}


@pytest.mark.parametrize(
    ("family", "members"),
    [
        (FAMILIES[0], [{OLD, NEW}, {CAN}, {BIG}, {PLAIN, BARE}, {NAMED}]),
        (FAMILIES[1], [{OLD, NEW, CAN}, {BIG}, {PLAIN, BARE}, {NAMED}]),
        (BRAND, [{OLD, NEW, CAN, BIG}, {PLAIN, BARE}, {NAMED}]),
    ],
    ids=lambda value: value.name if isinstance(value, Family) else "",
)
def test_products_with_equal_attributes_are_a_family(
    products: Table, family: Family, members: list[set[int]]
) -> None:
    assert _members(family, products) == {frozenset(own) for own in members}


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_another_value_or_a_missing_one_is_another_family(table: MakeTable, attribute: str) -> None:
    usual: dict[str, object] = dict(zip(ATTRIBUTES, PRODUCTS[0][1:], strict=True))
    other: object = 9.0 if attribute == "size" else "OTHER"
    rows = [(number, *{**usual, attribute: value}.values()) for number, value in enumerate(
        [usual[attribute], usual[attribute], other, None]
    )]  # fmt: skip
    products = table(["product_id", *ATTRIBUTES], rows)
    assert _members(FAMILIES[0], products) == {frozenset({0, 1}), frozenset({2}), frozenset({3})}


def test_affinity_passes_from_a_product_to_its_replacement(candidates: pd.DataFrame) -> None:
    # Weeks 0, 1 (both products, counted once) and 2; last week A and B bought NEW, C bought OLD.
    weight = 1 + 0.9 + 0.81
    for product, share in ((NEW, 2 / 3), (OLD, 1 / 3)):
        row = candidates.loc[(A, product)]
        assert row["pair_family_weight"] == pytest.approx(weight)
        assert row["product_family_share_1w"] == pytest.approx(share)
        assert row["pair_family_score"] == pytest.approx(weight * share)


def test_brand_and_size_include_the_other_packages(candidates: pd.DataFrame) -> None:
    # A's can was bought in week 3; A, B (two products, one buyer) and C bought of it last week.
    weight = 1 + 0.9 + 0.81 + 0.729
    for product, share in ((NEW, 2 / 3), (OLD, 1 / 3), (CAN, 1 / 3)):
        row = candidates.loc[(A, product)]
        assert row["pair_brand_size_weight"] == pytest.approx(weight)
        assert row["product_brand_size_share_1w"] == pytest.approx(share)
        assert row["pair_brand_size_score"] == pytest.approx(weight * share)
        assert row["pair_brand_weight"] == pytest.approx(weight)


def test_affinity_to_a_package_counts_that_package_alone(candidates: pd.DataFrame) -> None:
    row = candidates.loc[(A, CAN)]
    assert row["pair_family_weight"] == pytest.approx(0.729)
    assert row["product_family_share_1w"] == 1
    assert row["pair_family_score"] == pytest.approx(0.729)


def test_the_share_is_null_and_the_score_0_for_a_family_without_sales_last_week(
    candidates: pd.DataFrame,
) -> None:
    row = candidates.loc[(A, BIG)]
    assert pd.isna(row["product_family_share_1w"])
    assert pd.isna(row["product_brand_size_share_1w"])
    # The customer buys the brand in another size.
    assert row["pair_brand_weight"] == pytest.approx(1 + 0.9 + 0.81 + 0.729)
    assert (row["pair_family_weight"], row["pair_brand_size_weight"]) == (0, 0)
    assert (row["pair_family_score"], row["pair_brand_size_score"]) == (0, 0)


def test_a_product_without_sales_in_a_family_with_sales_has_a_share_of_0(candidates: pd.DataFrame) -> None:
    row = candidates.loc[(C, PLAIN)]
    assert row["pair_family_weight"] == pytest.approx(1 + 0.6561)
    assert row["product_family_share_1w"] == 0
    assert row["pair_family_score"] == 0
    assert candidates.loc[(C, BARE), "pair_family_score"] == pytest.approx(1 + 0.6561)


def test_a_family_that_the_customer_never_bought_has_weight_0(candidates: pd.DataFrame) -> None:
    row = candidates.loc[(A, PLAIN)]
    names = [f"pair_{name}_weight" for name in ("brand", "family", "brand_size")]
    assert list(row[names]) == [0, 0, 0]
    assert row["product_family_share_1w"] == 0
    # A missing brand is a brand of its own.
    assert candidates.loc[(C, NAMED), "pair_brand_weight"] == 0


def test_every_candidate_occurs_once_with_the_columns_of_each_family(candidates: pd.DataFrame) -> None:
    assert sorted(candidates.index) == sorted((customer, product) for customer, product, _ in CANDIDATES)
    assert list(candidates.columns) == [
        "product_buyers_1w", "product_family_share_1w", "product_brand_size_share_1w", "pair_brand_weight",
        "pair_family_weight", "pair_family_score", "pair_brand_size_weight", "pair_brand_size_score",
    ]  # fmt: skip
