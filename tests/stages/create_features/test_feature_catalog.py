"""The feature catalog compared with the tables that the stage writes: columns, types and nulls."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sodai.data.catalog import CUSTOMERS, EXTRACT, FEATURES_STAGE, PRODUCTS, SCORING, TRAINING
from sodai.data.feature_catalog import CATEGORICAL_NAMES, FEATURE_NAMES, FEATURES, Feature
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume
from support.sales_data import make_raw
from support.week import run_stage

# Ten weeks after the last purchase. With periods of four weeks the cutoffs are 70, 42, 14 and -14 days
# after it: nothing in eight weeks, nothing in four, nothing in the last, and as usual.
SILENCE = timedelta(weeks=10)
# Back to the last of these cutoffs, where the customer who never bought has candidates.
BACK_IN_TRADE = timedelta(weeks=12)
PAIR = ["customer_id", "product_id"]
FAMILY, BRAND_SIZE = ["brand", "sub_category", "segment", "package", "size"], ["brand", "size"]
NUMBERS = [feature for feature in FEATURES if not feature.categorical]
FAMILY_SHARES = {"product_family_share_1w": FAMILY, "product_brand_size_share_1w": BRAND_SIZE}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, date]:
    """Return a volume whose customers and products lack some attributes, after create_features."""
    raw = make_raw(tmp_path_factory.mktemp("catalog") / "raw", n_customers=16, n_products=12, n_weeks=16)
    _blank(raw.folder / "clientes.parquet", ["customer_type", "Y", "X", "num_deliver_per_week"])
    _make_alike(raw.folder / "productos.parquet")
    _blank(raw.folder / "productos.parquet", [*FAMILY, "category"])
    _add_lapsed_customer(raw.folder, raw.as_of - timedelta(weeks=300))
    as_of = raw.as_of + SILENCE
    root = raw.folder.parent
    for day, horizon_days in ((as_of - BACK_IN_TRADE, 7), (as_of, 28)):
        assert run_stage(EXTRACT, root, str(day)).code == 0
        options = ("--horizon-days", str(horizon_days), "--training-periods", "3", "--min-history-days", "28")
        outcome = run_stage(FEATURES_STAGE, root, str(day), *options)
        assert outcome.code == 0, outcome.log
    return Volume(root), as_of


def _make_alike(file: Path) -> None:
    """Give the family of a product that sells often to a rare one, and its brand and size to another."""
    table = pd.read_parquet(file)
    for row, names in ((10, FAMILY), (9, BRAND_SIZE)):
        table.loc[row, names] = table.loc[0, names]
    table.to_parquet(file, index=False)


def _add_lapsed_customer(folder: Path, day: date) -> None:
    """Add a customer whose only order is so old that its weight is 0."""
    lines = pd.read_parquet(folder / "transacciones.parquet").head(1)
    customers = pd.read_parquet(folder / "clientes.parquet")
    added = customers.tail(1).assign(customer_id=customers["customer_id"].max() + 1)
    pd.concat([customers, added]).to_parquet(folder / "clientes.parquet", index=False)
    line = lines.assign(customer_id=added["customer_id"].item(), order_id=1, purchase_date=pd.Timestamp(day))
    line.to_parquet(folder / "transacciones_old.parquet", index=False)


def _blank(file: Path, names: list[str]) -> None:
    # Row 2 is a customer who buys and a product that is sold.
    table = pd.read_parquet(file)
    table.loc[2, names] = None
    table.to_parquet(file, index=False)


@pytest.fixture(scope="module")
def rows(week: tuple[Volume, date]) -> pd.DataFrame:
    """Return all rows of the tables with their cutoff, and facts about the purchases before it."""
    volume, as_of = week
    training = volume.read(TRAINING, as_of).to_pandas()
    scoring = [
        volume.read(SCORING, day).to_pandas().assign(cutoff=day) for day in (as_of, as_of - BACK_IN_TRADE)
    ]
    purchases = read_transactions(volume, as_of).to_pandas()
    tables = pd.concat([training, *scoring], ignore_index=True)
    return pd.concat([_with_facts(own, purchases) for _, own in tables.groupby("cutoff")])


def _with_facts(rows: pd.DataFrame, purchases: pd.DataFrame) -> pd.DataFrame:
    cutoff = rows["cutoff"].iloc[0]
    before = purchases[purchases["purchase_date"] < cutoff]
    age = pd.Series([(cutoff - day).days for day in before["purchase_date"]], index=before.index)
    days = before[[*PAIR, "purchase_date"]].drop_duplicates()
    order_days = days.drop(columns="product_id").drop_duplicates()["customer_id"].value_counts()
    pair_days = days.groupby(PAIR).size()
    recent = {weeks: before[age <= 7 * weeks] for weeks in (1, 4, 8, 218)}
    return rows.assign(
        n_order_days=rows["customer_id"].map(order_days).fillna(0),
        n_pair_days=pair_days.reindex(pd.MultiIndex.from_frame(rows[PAIR]), fill_value=0).to_numpy(),
        bought_in_8w=rows["customer_id"].isin(recent[8]["customer_id"]),
        bought_in_218w=rows["customer_id"].isin(recent[218]["customer_id"]),
        sold_in_4w=rows["product_id"].isin(recent[4]["product_id"]),
        sold_in_2nd_week=rows["product_id"].isin(before[age.between(8, 14)]["product_id"]),
        market_in_1w=len(recent[1]) > 0,
        market_in_8w=len(recent[8]) > 0,
    )


NULL_WHERE: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "never ordered": lambda rows: rows["n_order_days"] == 0,
    "fewer than two order days": lambda rows: rows["n_order_days"] < 2,
    "nothing bought in eight weeks": lambda rows: ~rows["bought_in_8w"],
    # After 218 weeks the weight of an order, .9 a week, rounds to 0.
    "no order in 218 weeks": lambda rows: ~rows["bought_in_218w"],
    "never bought it": lambda rows: rows["n_pair_days"] == 0,
    "bought on fewer than two days": lambda rows: rows["n_pair_days"] < 2,
    "no customer bought it in the last four weeks": lambda rows: ~rows["sold_in_4w"],
    "no customer bought it in the week before the last": lambda rows: ~rows["sold_in_2nd_week"],
    "nothing was bought in the last week": lambda rows: ~rows["market_in_1w"],
    "nothing was bought in eight weeks": lambda rows: ~rows["market_in_8w"],
}
UNKNOWN = ("not known", "the business does not say")
# Feature -> the column of customers or products that it copies.
SOURCES = {
    "customer_type": (CUSTOMERS, "customer_type"),
    "customer_latitude": (CUSTOMERS, "y"),
    "customer_longitude": (CUSTOMERS, "x"),
    "customer_deliveries_per_week": (CUSTOMERS, "num_deliver_per_week"),
    "product_brand": (PRODUCTS, "brand"),
    "product_sub_category": (PRODUCTS, "sub_category"),
    "product_segment": (PRODUCTS, "segment"),
    "product_package": (PRODUCTS, "package"),
    "product_size_litres": (PRODUCTS, "size"),
}


def _named(features: list[Feature]) -> Any:
    return pytest.mark.parametrize("feature", features, ids=[feature.name for feature in features])


def test_there_are_72_features_in_four_groups() -> None:
    assert Counter(feature.group for feature in FEATURES) == {
        "customer": 19,
        "product": 24,
        "pair": 26,
        "time": 3,
    }
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == 72


def test_each_group_is_contiguous_and_the_names_start_with_it() -> None:
    groups = [feature.group for feature in FEATURES]
    assert sum(left != right for left, right in pairwise(groups)) == 3
    prefixes = {"time": ("period_", "market_")}
    for feature in FEATURES:
        assert feature.name.startswith(prefixes.get(feature.group, (f"{feature.group}_",)))


def test_every_number_has_a_unit_and_no_text_has_one() -> None:
    assert [feature.name for feature in FEATURES if feature.categorical == bool(feature.unit)] == []
    assert [feature.name for feature in FEATURES if not feature.meaning] == []
    assert len({feature.meaning for feature in FEATURES}) == len(FEATURES)
    assert [feature.name for feature in FEATURES if feature.categorical] == CATEGORICAL_NAMES


def test_the_tables_have_the_features_in_the_order_and_types_of_the_catalog(
    week: tuple[Volume, date],
) -> None:
    volume, as_of = week
    keys = {SCORING: PAIR, TRAINING: ["cutoff", *PAIR, "target"]}
    for dataset, first in keys.items():
        schema = volume.read(dataset, as_of).schema
        assert schema.names == [*first, *FEATURE_NAMES]
        assert [schema.field(feature.name).type for feature in FEATURES] == [
            pa.string() if feature.categorical else pa.float32() for feature in FEATURES
        ]


def test_the_cutoffs_cover_trade_and_silence(week: tuple[Volume, date], rows: pd.DataFrame) -> None:
    newest = read_transactions(*week)["purchase_date"].to_pandas().max()
    silent_days = {(cutoff - newest).days for cutoff in rows["cutoff"]}
    assert {days // 7 for days in silent_days} == {10, 6, 2, -2}


@_named([feature for feature in FEATURES if not feature.null_means])
def test_a_feature_without_a_meaning_of_null_is_never_null(rows: pd.DataFrame, feature: Feature) -> None:
    assert rows[feature.name].notna().all()


@_named(
    [
        feature
        for feature in FEATURES
        if feature.null_means and feature.null_means not in UNKNOWN and feature.name not in FAMILY_SHARES
    ]
)
def test_a_feature_is_null_exactly_where_the_catalog_says(rows: pd.DataFrame, feature: Feature) -> None:
    expected = NULL_WHERE[feature.null_means](rows)
    assert 0 < expected.sum() < len(rows)
    assert list(rows[feature.name].isna()) == list(expected)


@_named([feature for feature in FEATURES if feature.name in FAMILY_SHARES])
def test_a_family_share_is_the_part_of_the_family_buyers_and_null_where_it_had_none(
    week: tuple[Volume, date], rows: pd.DataFrame, feature: Feature
) -> None:
    assert feature.null_means == "nothing of the kind was bought in the last week"
    products = week[0].read(PRODUCTS, week[1]).to_pandas().set_index("product_id")
    # A missing attribute is a value of its own.
    family = products[FAMILY_SHARES[feature.name]].astype("string").fillna("").agg("|".join, axis=1)
    purchases = read_transactions(*week).to_pandas()
    for cutoff, own in rows.groupby("cutoff"):
        age = pd.Series([(cutoff - day).days for day in purchases["purchase_date"]], index=purchases.index)
        newest = purchases[age.between(1, 7)]
        of_family = newest.groupby(newest["product_id"].map(family))["customer_id"].nunique()
        of_product = newest.groupby("product_id")["customer_id"].nunique()
        bought = own["product_id"].map(of_product).fillna(0)
        expected = bought / own["product_id"].map(family).map(of_family)
        np.testing.assert_allclose(own[feature.name], expected, rtol=1e-6)
    # Some products share the buyers of their family with another.
    assert rows[feature.name].between(0, 1, inclusive="neither").any()
    assert 0 < rows[feature.name].isna().sum() < len(rows)


@_named([feature for feature in FEATURES if feature.null_means in UNKNOWN])
def test_an_attribute_is_copied_from_the_customer_or_product_and_null_where_that_is(
    week: tuple[Volume, date], rows: pd.DataFrame, feature: Feature
) -> None:
    dataset, column = SOURCES[feature.name]
    key = dataset.contract.key[0]
    table = week[0].read(dataset, week[1]).to_pandas().set_index(key)[column]
    expected = rows[key].map(table)
    assert 0 < expected.isna().sum() < len(rows)
    values = rows[feature.name]
    assert list(values.isna()) == list(expected.isna())
    if feature.categorical:
        assert list(values.dropna()) == list(expected.dropna())
    else:
        assert list(values.dropna()) == list(expected.dropna().astype("float32"))


def test_a_missing_number_is_null_and_never_nan(week: tuple[Volume, date]) -> None:
    volume, as_of = week
    for dataset in (SCORING, TRAINING):
        table = volume.read(dataset, as_of)
        n_nan = {feature.name: pc.sum(pc.is_nan(table[feature.name])).as_py() for feature in NUMBERS}
        assert {name: n for name, n in n_nan.items() if n} == {}


def test_every_number_is_finite_and_only_overdue_days_are_negative(rows: pd.DataFrame) -> None:
    values = rows[[feature.name for feature in NUMBERS]].drop(
        columns=["customer_latitude", "customer_longitude"]
    )
    assert values.max().max() < float("inf")
    assert [name for name in values if values[name].min() < 0] == ["pair_overdue_days"]


def test_shares_are_between_0_and_1(rows: pd.DataFrame) -> None:
    shares = [name for name in FEATURE_NAMES if "_share" in name or name == "product_repeat_rate"]
    assert len(shares) == 10
    for name in shares:
        assert rows[name].dropna().between(0, 1).all()
