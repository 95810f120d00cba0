"""A small raw/ folder whose answers are known, made the same way every time for every test."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

FIRST_DAY = date(2024, 1, 1)  # a Monday
FIRST_CUSTOMER, FIRST_PRODUCT = 1001, 501
TRANSACTION_COLUMNS = ["customer_id", "product_id", "order_id", "purchase_date", "items"]


@dataclass(frozen=True)
class Rhythm:
    """Customer and product of a habit: bought in week `phase` and every `every_weeks` weeks after."""

    customer_id: int
    product_id: int
    every_weeks: int
    phase: int


@dataclass(frozen=True)
class MadeRaw:
    """What `make_raw` made: the folder, the first day after its last week and the habits inside."""

    folder: Path
    first_day: date
    as_of: date
    rhythms: tuple[Rhythm, ...]

    def due(self, monday: date) -> set[tuple[int, int]]:
        """The customer-product pairs whose habit falls into the week that starts on `monday`."""
        week = (monday - self.first_day).days // 7
        return {
            (habit.customer_id, habit.product_id)
            for habit in self.rhythms
            if week >= habit.phase and (week - habit.phase) % habit.every_weeks == 0
        }


def make_raw(
    folder: Path,
    n_customers: int = 60,
    n_products: int = 25,
    n_weeks: int = 40,
    n_drops: int = 0,
    noise: float = 0.1,
    seed: int = 7,
    first_day: date = FIRST_DAY,
) -> MadeRaw:
    """Write clientes, productos and transacciones as SodAI sends them: disguised, doubled, cancelled.

    Each customer buys about eight products, each in its own rhythm of one to four weeks on a day of
    its own; a share `noise` of the purchases is left out and as many are added at random. Two in a
    hundred purchases are cancelled by a second line, one in a hundred lines stands there twice. The
    last customer never buys and the last product is never sold, unless there is no other; the first
    customer's coordinates are swapped.

    Args:
        folder: made if missing; files of an earlier call are replaced.
        n_drops: the newest weeks that come as a file each, `transacciones_<monday>.parquet`; what
            is older stands in `transacciones.parquet`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rhythms = tuple(_rhythms(rng, max(n_customers - 1, 1), max(n_products - 1, 1)))
    lines = _spoil(_purchases(rng, rhythms, n_weeks, noise, first_day), rng)
    made = MadeRaw(folder, first_day, first_day + timedelta(weeks=n_weeks), rhythms)
    mondays = [made.as_of - timedelta(weeks=back) for back in range(n_drops, 0, -1)]
    starts = [pd.Timestamp(monday) for monday in [*mondays, made.as_of]]
    write_transactions(folder / "transacciones.parquet", lines[lines["purchase_date"] < starts[0]])
    for monday, start, end in zip(mondays, starts, starts[1:], strict=False):
        drop = lines[lines["purchase_date"].between(start, end, inclusive="left")]
        write_transactions(folder / f"transacciones_{monday}.parquet", drop)
    made_customers(n_customers).to_parquet(folder / "clientes.parquet", index=False)
    made_products(n_products).to_parquet(folder / "productos.parquet", index=False)
    return made


def write_transactions(file: Path, lines: pd.DataFrame) -> None:
    """Write lines (customer_id, product_id, order_id, purchase_date, items) as one raw file."""
    lines[TRANSACTION_COLUMNS].to_parquet(file, index=False)


def disguised(units: np.ndarray | pd.Series | int) -> np.ndarray | pd.Series | float:
    """`items` as SodAI writes a signed number of units."""
    return (2 * units + 1) / 3


def made_customers(n_customers: int) -> pd.DataFrame:
    """The customers of `make_raw`: three kinds; the first one's coordinates are swapped, one has none."""
    numbers = np.arange(n_customers)
    customers = pd.DataFrame(
        {
            "customer_id": FIRST_CUSTOMER + numbers,
            "region_id": 80,
            "zone_id": 5148,
            "customer_type": np.array(["ABARROTES", "KIOSCO", "RESTAURANT"])[numbers % 3],
            "Y": -46.5 + numbers % 10 / 100,
            "X": -108.0 + numbers % 7 / 100,
            "num_deliver_per_week": 1 + numbers % 3,
            "num_visit_per_week": 1,
        }
    )
    customers.loc[0, ["Y", "X"]] = customers.loc[0, ["X", "Y"]].to_numpy(copy=True)
    if n_customers > 1:
        customers.loc[1, "X"] = np.nan
    return customers


def made_products(n_products: int) -> pd.DataFrame:
    """The products of `make_raw`."""
    numbers = np.arange(n_products)
    return pd.DataFrame(
        {
            "product_id": FIRST_PRODUCT + numbers,
            "brand": [f"Brand {number % 6}" for number in numbers],
            "category": np.array(["BEBIDAS CARBONATADAS", "AGUAS"])[numbers % 2],
            "sub_category": np.array(["GASEOSAS", "AGUAS SABORIZADAS", "AGUAS"])[numbers % 3],
            "segment": np.array(["PREMIUM", "MEDIUM", "LOW"])[numbers % 3],
            "package": np.array(["BOTELLA", "LATA"])[numbers % 2],
            "size": np.array([0.33, 0.66, 1.5, 3.0])[numbers % 4],
        }
    )


def _rhythms(rng: np.random.Generator, n_customers: int, n_products: int) -> Iterator[Rhythm]:
    # A product's popularity falls with its number, as it does in a shop.
    popularity = 1 / np.arange(1, n_products + 1)
    popularity /= popularity.sum()
    for customer in range(n_customers):
        chosen = rng.choice(n_products, size=min(8, n_products), replace=False, p=popularity)
        for product in chosen:
            every = int(rng.integers(1, 5))
            phase = int(rng.integers(0, every))
            yield Rhythm(FIRST_CUSTOMER + customer, FIRST_PRODUCT + int(product), every, phase)


def _purchases(
    rng: np.random.Generator, rhythms: tuple[Rhythm, ...], n_weeks: int, noise: float, first_day: date
) -> pd.DataFrame:
    """One row a purchase: TRANSACTION_COLUMNS but items, week (0 = first) and units."""
    bought = pd.DataFrame(
        [
            (habit.customer_id, habit.product_id, week)
            for habit in rhythms
            for week in range(habit.phase, n_weeks, habit.every_weeks)
        ],
        columns=["customer_id", "product_id", "week"],
    )
    n_noisy = int(noise * len(bought))
    extra = pd.DataFrame(
        {
            "customer_id": rng.choice(bought["customer_id"].unique(), n_noisy),
            "product_id": rng.choice(bought["product_id"].unique(), n_noisy),
            "week": rng.integers(0, n_weeks, n_noisy),
        }
    )
    bought = bought.drop(rng.choice(len(bought), n_noisy, replace=False))
    purchases = pd.concat([bought, extra]).drop_duplicates(ignore_index=True)
    purchases["units"] = rng.integers(1, 7, len(purchases))
    days = purchases["week"] * 7 + purchases["customer_id"] % 7
    purchases["purchase_date"] = pd.Timestamp(first_day) + pd.to_timedelta(days, unit="D")
    purchases["order_id"] = 100_000 + purchases["week"] * 1_000 + purchases["customer_id"] - FIRST_CUSTOMER
    return purchases.sort_values(["purchase_date", "order_id", "product_id"], ignore_index=True)


def _spoil(purchases: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The purchases as raw lines: some cancelled by a negative line, some doubled, all disguised."""
    cancelled = purchases[rng.random(len(purchases)) < 0.02].assign(units=lambda lines: -lines["units"])
    lines = pd.concat([purchases, cancelled])
    lines["items"] = disguised(lines["units"])
    doubled = lines[rng.random(len(lines)) < 0.01]
    return pd.concat([lines, doubled]).sort_values("purchase_date", kind="stable", ignore_index=True)
