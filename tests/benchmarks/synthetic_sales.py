"""`make bench-data`: write a year of synthetic sales of any size, distributed like SodAI's sales.

The number of customers grows with the rows, the number of products with their square root. Each customer has
a weekday and a rhythm for each of a few products from a long tail; products come and go; weeks have a season.
Some lines are cancelled, some are duplicated, quantities are disguised. There is one file per month and one
for the newest week. Only one block of customers is in memory.
"""

import argparse
import math
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = date(2024, 1, 1)  # a Monday
N_WEEKS = 52
AS_OF = FIRST_DAY + timedelta(weeks=N_WEEKS)
# From SodAI's sales of 2024: lines per customer (mean, and sigma of the logarithm) and number of products.
_LINES, _LINES_SIGMA = 171, 1.1
_SODAI_LINES, _SODAI_PRODUCTS = 254_936, 114
_CANCELLED, _DUPLICATED = 0.033, 0.0035
_BLOCK_LINES = 1_000_000
_SCATTER, _PRIME = 48_271, 2_147_483_647
_SCHEMA = pa.schema(
    {
        "customer_id": pa.int64(),
        "product_id": pa.int64(),
        "order_id": pa.int64(),
        "purchase_date": pa.timestamp("us"),
        "items": pa.float64(),
    }
)


def write_sales(folder: Path, n_rows: int, seed: int = 0) -> int:
    """Write clientes, productos and transacciones, and return the number of lines.

    Args:
        folder: created if missing.
        n_rows: approximate number of lines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("transacciones*.parquet"):
        old.unlink()
    rng = np.random.default_rng(seed)
    n_customers = max(1, round(n_rows / _LINES))
    n_products = max(5, round(_SODAI_PRODUCTS * math.sqrt(n_rows / _SODAI_LINES)))
    pq.write_table(_customers(rng, n_customers), folder / "clientes.parquet")
    pq.write_table(_products(rng, n_products), folder / "productos.parquet")
    windows = _windows(rng, n_products)
    starts, names = _files()
    n_written = 0
    with ExitStack() as files:
        writers = [
            files.enter_context(pq.ParquetWriter(folder / name, _SCHEMA, compression="zstd"))
            for name in names
        ]
        for first, n_block in _blocks(n_customers):
            day, table = _lines(rng, first, n_block, windows)
            cuts = [*np.searchsorted(day, starts), len(day)]
            for writer, start, end in zip(writers, cuts, cuts[1:], strict=False):
                writer.write_table(table.slice(start, end - start))
            n_written += table.num_rows
    return n_written


def _blocks(n_customers: int) -> Iterator[tuple[int, int]]:
    size = _BLOCK_LINES // _LINES
    for first in range(0, n_customers, size):
        yield first, min(size, n_customers - first)


def _files() -> tuple[list[int], list[str]]:
    """Return first day (0 = FIRST_DAY) and name of each file: the months, then the newest week."""
    newest = AS_OF - timedelta(weeks=1)
    days = [date(FIRST_DAY.year, month, 1) for month in range(1, 13)]
    names = [f"transacciones_{day:%Y-%m}.parquet" for day in days]
    starts = [(day - FIRST_DAY).days for day in (*days, newest)]
    return starts, [*names, f"transacciones_{newest}.parquet"]


def _lines(
    rng: np.random.Generator, first: int, n_customers: int, windows: np.ndarray
) -> tuple[np.ndarray, pa.Table]:
    """Return the day of each line (0 = FIRST_DAY) and the lines of some customers, ordered by day."""
    customer, product, n_lines = _habits(rng, n_customers, len(windows))
    habit = np.repeat(np.arange(len(n_lines)), n_lines)
    turn = np.arange(len(habit)) - np.repeat(np.cumsum(n_lines) - n_lines, n_lines)
    # Regular purchases while the product is on sale, each a little early or late.
    start, length = windows[product[habit]].T
    place = (turn + rng.random(len(n_lines))[habit] + rng.normal(0, 0.15, len(habit))) / n_lines[habit]
    week = np.clip(start + place * length, 0, N_WEEKS - 1).astype(np.int64)
    _, once = np.unique(habit * N_WEEKS + week, return_index=True)
    season = _season()
    once = once[rng.random(len(once)) < season[week[once]] / season.max()]
    habit, week = habit[once], week[once]
    weekday = rng.choice(7, n_customers, p=[0.2, 0.16, 0.14, 0.2, 0.18, 0.08, 0.04])
    day = week * 7 + weekday[customer[habit]]
    units = rng.geometric(0.45, len(habit))
    back = rng.random(len(habit)) < _CANCELLED
    twice = rng.random(len(habit)) < _DUPLICATED
    rows = np.concatenate([np.arange(len(habit)), np.flatnonzero(back), np.flatnonzero(twice)])
    sign = np.ones(len(rows), np.int64)
    sign[len(habit) : len(habit) + back.sum()] = -1
    order = np.argsort(day[rows], kind="stable")
    rows, sign = rows[order], sign[order]
    number = first + customer[habit[rows]]
    columns = [
        _scattered(number),
        _scattered(product[habit[rows]]),
        number * 366 + day[rows],
        np.datetime64(FIRST_DAY, "us") + day[rows].astype("timedelta64[D]"),
        (2 * sign * units[rows] + 1) / 3,
    ]
    return day[rows], pa.Table.from_arrays([pa.array(column) for column in columns], schema=_SCHEMA)


def _habits(
    rng: np.random.Generator, n_customers: int, n_products: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer, product and yearly number of lines of each pair that has any line."""
    season = _season()
    # Start with more lines, because the season and repeated purchases in a week remove some.
    mean = _LINES * 1.33 * season.max() / season.mean()
    target_lines = rng.lognormal(math.log(mean) - _LINES_SIGMA**2 / 2, _LINES_SIGMA, n_customers)
    n_own = np.ceil(2.2 * np.sqrt(target_lines)).astype(np.int64)
    customer = np.repeat(np.arange(n_customers), n_own)
    chance = np.arange(1, n_products + 1) ** -1.0
    chance = np.cumsum(chance / chance.sum())
    product = np.minimum(np.searchsorted(chance, rng.random(len(customer))), n_products - 1)
    customer, product = np.divmod(np.unique(customer * n_products + product), n_products)
    liking = (product + 1.0) ** -0.6 * rng.lognormal(0, 1.2, len(product))
    share = liking / np.bincount(customer, liking, n_customers)[customer]
    n_lines = np.floor(share * target_lines[customer] + rng.random(len(product))).astype(np.int64)
    bought = n_lines > 0
    return customer[bought], product[bought], n_lines[bought]


def _season() -> np.ndarray:
    """Return the sales factor of each week: near 1, weak in three weeks of May, high before Christmas."""
    week = np.arange(N_WEEKS)
    season = 1 + 0.08 * np.sin(week / N_WEEKS * 2 * np.pi)
    season[19:22] *= 0.6
    season[50:] *= 1.3
    return season


def _windows(rng: np.random.Generator, n_products: int) -> np.ndarray:
    """Return the first week and number of weeks of each product on sale; the most popular sell all year."""
    windows = np.tile([0.0, N_WEEKS], (n_products, 1))
    tail = np.arange(n_products) > n_products // 10
    comes, goes = (tail & (rng.random(n_products) < share) for share in (0.35, 0.25))
    windows[comes, 0] = rng.uniform(10, 40, comes.sum())
    end = np.where(goes, rng.uniform(12, 40, n_products), N_WEEKS)
    windows[:, 1] = np.maximum(end - windows[:, 0], 6)
    return windows


def _customers(rng: np.random.Generator, n_customers: int) -> pa.Table:
    kinds = np.array(["ABARROTES", "ALMACEN", "BOTILLERIA", "KIOSCO", "MINIMARKET", "RESTAURANT", "OTROS"])
    return pa.table(
        {
            "customer_id": _scattered(np.arange(n_customers)),
            "region_id": np.full(n_customers, 80),
            "zone_id": np.full(n_customers, 5148),
            "customer_type": rng.choice(kinds, n_customers, p=[0.5, 0.15, 0.1, 0.1, 0.07, 0.05, 0.03]),
            "Y": rng.normal(-46.5, 0.3, n_customers),
            "X": rng.normal(-108.0, 0.3, n_customers),
            "num_deliver_per_week": rng.integers(1, 5, n_customers),
            "num_visit_per_week": np.full(n_customers, 1),
        }
    )


def _products(rng: np.random.Generator, n_products: int) -> pa.Table:
    brands = [f"Brand {number}" for number in range(max(3, n_products // 2))]
    return pa.table(
        {
            "product_id": _scattered(np.arange(n_products)),
            "brand": rng.choice(brands, n_products),
            "category": rng.choice(["BEBIDAS CARBONATADAS", "AGUAS"], n_products),
            "sub_category": rng.choice(["GASEOSAS", "AGUAS SABORIZADAS", "AGUAS"], n_products),
            "segment": rng.choice(["PREMIUM", "HIGH", "MEDIUM", "LOW"], n_products),
            "package": rng.choice(["BOTELLA", "LATA", "TETRA", "KEG"], n_products),
            "size": rng.choice([0.25, 0.33, 0.5, 0.66, 1.0, 1.5, 2.0, 3.0], n_products),
        }
    )


def _scattered(numbers: np.ndarray) -> np.ndarray:
    """Return distinct ids without order, like those of a business."""
    return (numbers + 1) * _SCATTER % _PRIME


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="bench-data", description="Write synthetic sales of any size into raw/."
    )
    parser.add_argument(
        "--rows", type=int, required=True, help="approximate number of lines, for example 10_000_000"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="root of a volume; files are written to its folder raw/"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    options = parser.parse_args()
    n_rows = write_sales(options.out / "raw", options.rows, options.seed)
    print(f"bench-data: {n_rows} lines in {options.out / 'raw'}, to predict from {AS_OF}")


if __name__ == "__main__":
    main()
