"""A small synthetic raw/ folder with known purchase habits, the same in every run."""

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
    """A purchase habit: the customer buys the product in week `phase` and every `every_weeks` weeks after."""

    customer_id: int
    product_id: int
    every_weeks: int
    phase: int


@dataclass(frozen=True)
class SyntheticRaw:
    """The output of `make_raw`.

    Attributes:
        folder: raw/ folder with the files.
        first_day: first day of the first week.
        as_of: first day after the last week.
        rhythms: purchase habits.
    """

    folder: Path
    first_day: date
    as_of: date
    rhythms: tuple[Rhythm, ...]

    def due(self, monday: date) -> set[tuple[int, int]]:
        """Return the customer-product pairs whose habit is due in the week that starts on `monday`."""
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
) -> SyntheticRaw:
    """Write clientes, productos and transacciones as SodAI sends them: disguised, duplicated, cancelled.

    Each customer buys about eight products on one day of the week, each product every one to four weeks.
    Two in a hundred purchases are cancelled by a second line, one in a hundred lines is duplicated. The last
    customer never buys and the last product is never sold, unless there is no other; the first customer's
    coordinates are swapped.

    Args:
        folder: created if missing; files of an earlier call are replaced.
        n_customers, n_products, n_weeks: size of the data.
        n_drops: number of newest weeks with a file each, `transacciones_<monday>.parquet`; older weeks are
            in `transacciones.parquet`.
        noise: share of the purchases that is left out; as many are added at random.
        seed: seed of the data.
        first_day: first day of the first week.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rhythms = tuple(_rhythms(rng, max(n_customers - 1, 1), max(n_products - 1, 1)))
    lines = _spoil(_purchases(rng, rhythms, n_weeks, noise, first_day), rng)
    sales = SyntheticRaw(folder, first_day, first_day + timedelta(weeks=n_weeks), rhythms)
    mondays = [sales.as_of - timedelta(weeks=back) for back in range(n_drops, 0, -1)]
    starts = [pd.Timestamp(monday) for monday in [*mondays, sales.as_of]]
    write_transactions(folder / "transacciones.parquet", lines[lines["purchase_date"] < starts[0]])
    for monday, start, end in zip(mondays, starts, starts[1:], strict=False):
        drop = lines[lines["purchase_date"].between(start, end, inclusive="left")]
        write_transactions(folder / f"transacciones_{monday}.parquet", drop)
    synthetic_customers(n_customers).to_parquet(folder / "clientes.parquet", index=False)
    synthetic_products(n_products).to_parquet(folder / "productos.parquet", index=False)
    return sales


def write_transactions(file: Path, lines: pd.DataFrame) -> None:
    """Write lines (customer_id, product_id, order_id, purchase_date, items) as one raw file."""
    lines[TRANSACTION_COLUMNS].to_parquet(file, index=False)


def disguise_units(units: np.ndarray | pd.Series | int) -> np.ndarray | pd.Series | float:
    """Return `items` as SodAI writes a signed number of units."""
    return (2 * units + 1) / 3


def synthetic_customers(n_customers: int) -> pd.DataFrame:
    """Return the customers of `make_raw`: three types; one has swapped coordinates and one no longitude."""
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


def synthetic_products(n_products: int) -> pd.DataFrame:
    """Return the products of `make_raw`."""
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
    # As in a shop, a few products make most of the sales: popularity falls with the number of the product.
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
    """Return one row per purchase: TRANSACTION_COLUMNS but items, week (0 = first) and units."""
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
    """Return the purchases as raw lines: some cancelled by a second line, some duplicated, all disguised."""
    cancelled = purchases[rng.random(len(purchases)) < 0.02].assign(units=lambda lines: -lines["units"])
    lines = pd.concat([purchases, cancelled])
    lines["items"] = disguise_units(lines["units"])
    duplicates = lines[rng.random(len(lines)) < 0.01]
    return pd.concat([lines, duplicates]).sort_values("purchase_date", kind="stable", ignore_index=True)
