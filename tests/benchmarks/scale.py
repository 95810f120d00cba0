"""`make bench SCALE="1_000_000 10_000_000"`: what stages cost on sales of any size, and how it grows.

Each size is loaded without its newest week, then that week is dropped on top. Beside the stages stands
what DuckDB alone needs to scan the same raw files and count each pair.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.made_sales import AS_OF, write_sales
from sodai.datasets import EXTRACT, FEATURES_STAGE, RAW, run_record
from sodai.resources import available_cpus
from sodai.volume import Volume

FOLDER = Path(__file__).parents[2] / ".cache" / "bench" / "scale"
PLAIN = "plain scan and group"
_ALL, _DROP = AS_OF - timedelta(weeks=1), AS_OF
_COLUMNS = ["seconds", "cpu_seconds", "peak_memory_mib"]


def measure(root: Path, n_rows: int, memory_mib: int) -> pd.DataFrame:
    """Make sales on the volume `root` and run the stages, from nothing and with a week on top.

    Returns:
        size (lines asked for), step, lines (made), seconds, cpu_seconds, peak_memory_mib.
    """
    shutil.rmtree(root, ignore_errors=True)
    raw = Volume(root).path(RAW)
    n_lines = write_sales(raw, n_rows)
    newest = raw / f"transacciones_{_ALL}.parquet"
    aside = newest.rename(root / newest.name)
    records = {}
    for name, as_of in (("all", _ALL), ("drop", _DROP)):
        if as_of == _DROP:
            aside.rename(newest)
        for stage in (EXTRACT, FEATURES_STAGE):
            records[f"{stage}, {name}"] = _run(root, stage, as_of, memory_mib)
    records[PLAIN] = _plain(raw, memory_mib)
    rows = [[n_rows, step, n_lines, *record] for step, record in records.items()]
    return pd.DataFrame(rows, columns=["size", "step", "lines", *_COLUMNS])


def with_growth(measured: pd.DataFrame) -> pd.DataFrame:
    """Add lines_per_second, times_plain (seconds over those of the plain scan of the same size) and
    exponent (of the lines, from the next smaller size; none for the smallest)."""
    table = measured.sort_values(["step", "size"], ignore_index=True)
    plain = table[table["step"] == PLAIN].set_index("size")["seconds"]
    logs = table.groupby("step")[["lines", "seconds"]].transform(lambda each: each.map(math.log).diff())
    return table.assign(
        lines_per_second=table["lines"] / table["seconds"],
        times_plain=table["seconds"] / table["size"].map(plain),
        exponent=logs["seconds"] / logs["lines"],
    )


def _run(root: Path, stage: str, as_of: date, memory_mib: int) -> list[float]:
    here = Path(__file__).parents[2]
    paths = os.pathsep.join(str(here / folder) for folder in ("shared", "stages"))
    options = ["--as-of", str(as_of), "--data", str(root), "--memory-limit", str(memory_mib)]
    subprocess.run(
        [sys.executable, "-m", stage, *options],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )
    record = json.loads(Volume(root).path(run_record(stage), as_of).read_text())
    return [record["wall_seconds"], record["cpu_seconds"], record["peak_memory_mib"]]


def _plain(raw: Path, memory_mib: int) -> list[float]:
    """Count, first and last day and quantity of each pair: the least that pair features need."""
    started, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(config={"threads": available_cpus(), "memory_limit": f"{memory_mib}MiB"}) as engine:
        engine.sql(
            f"""CREATE TABLE pairs AS
            SELECT customer_id, product_id, count(*), min(purchase_date), max(purchase_date), sum(items)
            FROM read_parquet('{raw}/transacciones*.parquet') GROUP BY ALL"""
        )
    return [time.perf_counter() - started, time.process_time() - cpu, math.nan]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="lines: 1_000_000 for example")
    parser.add_argument("--memory-limit", type=int, default=2048, help="MiB that DuckDB may hold")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the volumes and of scale.csv")
    options = parser.parse_args(arguments)
    measured = []
    for size in sorted(options.sizes):
        print(f"bench: {size} lines", flush=True)
        measured.append(measure(options.out / str(size), size, options.memory_limit))
    table = with_growth(pd.concat(measured))
    table.to_csv(options.out / "scale.csv", index=False)
    print(table.drop(columns="size").to_string(index=False, float_format=lambda value: f"{value:,.2f}"))


if __name__ == "__main__":
    main()
