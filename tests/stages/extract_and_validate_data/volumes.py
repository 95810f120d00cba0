"""Volumes for the tests of extract_and_validate_data, and functions that read from them."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from sodai.data.catalog import EXTRACT, LEDGER, LINES, QUALITY, QUARANTINE, TRANSACTIONS
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume
from support.sales_data import (
    FIRST_CUSTOMER,
    FIRST_PRODUCT,
    disguise_units,
    synthetic_customers,
    synthetic_products,
    write_transactions,
)
from support.week import Outcome, files_of, run_stage

FAR = date(2100, 1, 1)


def lines(*rows: tuple[int, int, int, str, float], decode: bool = True) -> pd.DataFrame:
    """Return raw lines of customer and product (0 = the first), order, date, units (written in disguise)."""
    columns = ["customer_id", "product_id", "order_id", "purchase_date", "items"]
    table = pd.DataFrame(rows, columns=columns)
    table["customer_id"] += FIRST_CUSTOMER
    table["product_id"] += FIRST_PRODUCT
    table["purchase_date"] = pd.to_datetime(table["purchase_date"])
    table["items"] = disguise_units(table["items"]) if decode else table["items"].astype("float64")
    return table


# Two units each; a disguised two is no whole number, so that every day is recognised as disguised.
HISTORY = lines(
    (0, 0, 10, "2024-02-26", 2),
    (0, 1, 10, "2024-02-26", 2),
    (1, 0, 11, "2024-02-27", 2),
    (1, 2, 12, "2024-03-05", 2),
)
# A later drop of one line a customer.
DROP = lines((0, 0, 20, "2024-03-06", 2), (1, 1, 21, "2024-03-07", 2))


def raw_volume(root: Path, history: pd.DataFrame = HISTORY) -> Volume:
    """Return a volume with three customers, four products and a history in raw/, not loaded yet."""
    raw = root / "raw"
    raw.mkdir(parents=True)
    synthetic_customers(3).to_parquet(raw / "clientes.parquet", index=False)
    synthetic_products(4).to_parquet(raw / "productos.parquet", index=False)
    write_transactions(raw / "transacciones.parquet", history)
    return Volume(root)


def add_drop(volume: Volume, name: str, drop: pd.DataFrame) -> Path:
    """Add a transaction file to raw/."""
    path = volume.root / "raw" / name
    drop.to_parquet(path, index=False)
    return path


def extract(volume: Volume, as_of: str = "auto", *options: str) -> Outcome:
    """Run the stage."""
    return run_stage(EXTRACT, volume.root, as_of, *options)


def load(volume: Volume, as_of: str = "auto", *options: str) -> dict[str, Any]:
    """Run the stage, which must succeed, and return its result line."""
    outcome = extract(volume, as_of, *options)
    assert outcome.code == 0, outcome.log
    return outcome.result


def read_quality(volume: Volume, as_of: str) -> dict[str, Any]:
    """Return the quality record of a period."""
    return volume.read_json(QUALITY, date.fromisoformat(as_of))


def read_purchases(volume: Volume, before: date = FAR) -> list[tuple[int, int, int, str, float]]:
    """Return purchases as the numbers that `lines` takes, in order."""
    table = read_transactions(volume, before)
    TRANSACTIONS.contract.check(table, "transactions")
    rows = zip(*(table[name].to_pylist() for name in TRANSACTIONS.contract.names), strict=True)
    return sorted(
        (customer - FIRST_CUSTOMER, product - FIRST_PRODUCT, order, str(day), units)
        for customer, product, order, day, units in rows
    )


def read_quarantine(volume: Volume) -> list[tuple[str, int, str]]:
    """Return file, row and reason of the rows in quarantine, in order."""
    names = volume.read_json(LEDGER)["partitions"]["quarantine"].values()
    tables = [pd.read_parquet(volume.path(QUARANTINE) / name) for name in names]
    return sorted(
        row for table in tables for row in table[["file", "row", "reason"]].itertuples(index=False, name=None)
    )


def read_state(volume: Volume) -> dict[str, Any]:
    """Return the ledger without the run that loaded each file; partitions are named by their content."""
    record = json.loads(volume.path(LEDGER).read_text())
    return {**record, "files": [{**file, "loaded_for": None} for file in record["files"]]}


def output_files(volume: Volume) -> dict[str, bytes]:
    """Return every file that the stage wrote, without the lock."""
    files = files_of(volume.root)
    return {
        path: content
        for path, content in files.items()
        if not path.startswith("raw/") and ".lock" not in path
    }


def line_files(volume: Volume) -> list[Path]:
    """Return the current files of LINES."""
    return [volume.path(LINES) / name for name in volume.read_json(LEDGER)["partitions"]["lines"].values()]


def assert_refused(volume: Volume, *words: str, as_of: str = "auto", options: tuple[str, ...] = ()) -> str:
    """Check that the stage ends with one line that contains all `words`, exit 1, and changes nothing."""
    before = output_files(volume)
    outcome = extract(volume, as_of, *options)
    assert outcome.code == 1, outcome
    assert outcome.result["status"] == "failed"
    message: str = outcome.result["error"]
    assert "\n" not in message
    for word in words:
        assert re.search(word, message), message
    assert output_files(volume) == before
    return message


def rewrite(path: Path, table: pd.DataFrame) -> None:
    table.to_parquet(path, index=False)
