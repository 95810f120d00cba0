"""First version: everything at once in memory."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.datasets import CUSTOMERS, PRODUCTS, TRANSACTIONS
from sodai.volume import Volume

KEY = ["order_id", "customer_id", "product_id", "purchase_date"]


def load_all(volume: Volume, raw: Path) -> dict[str, Any]:
    """Load every transaction file and return the ledger."""
    files, parts = [], []
    for path in sorted([*raw.glob("transacciones*.parquet"), *raw.glob("transactions*.parquet")]):
        lines = pd.read_parquet(path)[["customer_id", "product_id", "order_id", "purchase_date", "items"]]
        parts.append(lines)
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"name": path.name, "sha256": sha, "rows": len(lines)})
    lines = pd.concat(parts).drop_duplicates()
    q = (3 * lines["items"] - 1) / 2
    fits = (q - q.round()).abs() < 1e-3
    lines["n_units"] = np.where(fits, q.round(), lines["items"])
    net = lines.groupby(KEY, as_index=False)["n_units"].sum()
    net = net[net["n_units"] > 0].sort_values(["purchase_date", *KEY])
    net["purchase_date"] = pd.to_datetime(net["purchase_date"])
    monday = net["purchase_date"] - pd.to_timedelta(net["purchase_date"].dt.weekday, unit="D")
    partitions = {}
    for week, part in net.groupby(monday):
        table = pa.Table.from_pandas(part[TRANSACTIONS.contract.names], preserve_index=False)
        table = table.cast(TRANSACTIONS.contract.schema).replace_schema_metadata(None)
        name = f"week={week.date()}/{hashlib.sha256(str(part.to_numpy()).encode()).hexdigest()[:16]}.parquet"
        target = volume.path(TRANSACTIONS) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target, compression="zstd")
        partitions[str(week.date())] = name
    return {
        "files": files,
        "partitions": {"transactions": partitions, "lines": {}},
        "first_date": net["purchase_date"].min().date().isoformat(),
        "last_date": net["purchase_date"].max().date().isoformat(),
    }


def master_tables(raw: Path) -> tuple[pa.Table, pa.Table]:
    """Customers and products in the columns of their contracts."""
    tables = []
    for names, dataset in ((("clientes", "customers"), CUSTOMERS), (("productos", "products"), PRODUCTS)):
        path = next(raw / f"{name}.parquet" for name in names if (raw / f"{name}.parquet").exists())
        frame = pd.read_parquet(path).rename(columns=str.lower)[dataset.contract.names]
        if "x" in frame:
            swapped = (frame["y"] < -90) | (frame["x"] > -90)
            frame.loc[swapped, ["x", "y"]] = frame.loc[swapped, ["y", "x"]].to_numpy()
        tables.append(pa.Table.from_pandas(frame, preserve_index=False).cast(dataset.contract.schema))
    return tables[0], tables[1]
