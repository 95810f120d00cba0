"""Laws of the tables: nothing from the future, row order irrelevant, one definition for all periods."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ibis.expr.types import Table

from create_features.core_candidates import select_candidates, select_popular_products
from create_features.core_training_periods import select_training_periods
from sodai.data.catalog import (
    EXTRACT,
    FEATURES_STAGE,
    FORECASTS,
    LEDGER,
    SCORING,
    TRAINING,
    TRAINING_CACHE,
    TRANSACTIONS,
)
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.data.periods import Period
from sodai.runtime.limits import available_cpus
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume
from support.sales_data import SyntheticRaw, make_raw, write_transactions
from support.week import run_stage

N_WEEKS = 18
PAIR = ["customer_id", "product_id"]
# A Thursday: the week's file has purchases on both sides of the cutoff.
INTO_THE_WEEK = timedelta(days=3)
# Small bounds, so that ties decide which products are candidates.
BOUNDS = ("--max-bought", "4", "--n-popular", "3")
OPTIONS = ("--min-history-days", "35", "--training-periods", "3", *BOUNDS)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> SyntheticRaw:
    """Write fourteen weeks before the cutoff of `volume` and three and a half after it; scattered keys."""
    folder = tmp_path_factory.mktemp("laws") / "raw"
    raw = make_raw(folder, n_customers=20, n_products=12, n_weeks=N_WEEKS)
    for file in folder.iterdir():
        table = pd.read_parquet(file)
        for key in table.columns.intersection(PAIR):
            # DuckDB groups a narrow range of numbers in their order, which would hide a tie.
            table[key] = table[key] * 48_271 % 2_147_483_647
        table.to_parquet(file, index=False)
    return raw


@pytest.fixture(scope="module")
def as_of(raw: SyntheticRaw) -> date:
    return raw.as_of - timedelta(weeks=4) + INTO_THE_WEEK


@pytest.fixture(scope="module")
def volume(raw: SyntheticRaw, as_of: date) -> Volume:
    """Return a volume after create_features; read-only for tests."""
    volume = Volume(raw.folder.parent)
    _make(volume, as_of)
    return volume


@pytest.fixture
def copied(volume: Volume, tmp_path: Path) -> Volume:
    shutil.copytree(volume.root, tmp_path / "volume")
    return Volume(tmp_path / "volume")


def _make(volume: Volume, as_of: date, *options: str) -> None:
    assert run_stage(EXTRACT, volume.root, str(as_of)).code == 0
    _make_features(volume, as_of, *options)


def _make_features(volume: Volume, as_of: date, *options: str) -> None:
    outcome = run_stage(FEATURES_STAGE, volume.root, str(as_of), *OPTIONS, *options)
    assert outcome.code == 0, outcome.log


def _tables(volume: Volume, as_of: date) -> list[bytes]:
    paths = [volume.path(dataset, as_of) for dataset in (SCORING, FORECASTS)]
    return [path.read_bytes() for path in (*sorted(volume.path(TRAINING, as_of).iterdir()), *paths)]


def _fresh(root: Path, raw: SyntheticRaw, *drops: pd.DataFrame) -> Volume:
    """Return a volume with the customers and products of `raw` and one file for each of `drops`."""
    (root / "raw").mkdir(parents=True)
    for name in ("clientes.parquet", "productos.parquet"):
        shutil.copy(raw.folder / name, root / "raw" / name)
    for number, drop in enumerate(drops):
        write_transactions(root / "raw" / f"transacciones_{number}.parquet", drop)
    return Volume(root)


def _raw_lines(raw: SyntheticRaw) -> pd.DataFrame:
    return pd.read_parquet(raw.folder / "transacciones.parquet")


def test_without_the_purchases_from_the_cutoff_on_all_tables_are_the_same_to_the_byte(
    volume: Volume, raw: SyntheticRaw, as_of: date, tmp_path: Path
) -> None:
    lines = _raw_lines(raw)
    later = lines["purchase_date"] >= pd.Timestamp(as_of)
    assert later.sum() > 100
    known = _fresh(tmp_path / "known", raw, lines[~later])

    _make(known, as_of)

    assert _tables(known, as_of) == _tables(volume, as_of)


def test_files_and_rows_in_another_order_give_the_same_bytes(
    volume: Volume, raw: SyntheticRaw, as_of: date, tmp_path: Path
) -> None:
    shuffled = _raw_lines(raw).sample(frac=1, random_state=1)
    drops = [shuffled.iloc[rows] for rows in np.array_split(np.arange(len(shuffled)), 3)]
    shuffled_volume = _fresh(tmp_path / "shuffled", raw, *drops)
    for name in ("clientes.parquet", "productos.parquet"):
        table = pd.read_parquet(shuffled_volume.root / "raw" / name)
        table.iloc[::-1].to_parquet(shuffled_volume.root / "raw" / name, index=False)

    _make(shuffled_volume, as_of)

    assert _tables(shuffled_volume, as_of) == _tables(volume, as_of)


@contextmanager
def _one_cpu() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_second_run_on_one_cpu_with_little_memory_and_rows_reversed_gives_the_same_bytes(
    volume: Volume, copied: Volume, as_of: date
) -> None:
    for name in copied.read_json(LEDGER)["partitions"]["transactions"].values():
        file = copied.path(TRANSACTIONS) / name
        rows = pq.read_table(file, partitioning=None)
        pq.write_table(rows.take(np.arange(rows.num_rows)[::-1]), file)
    shutil.rmtree(copied.path(SCORING, as_of).parent)
    shutil.rmtree(copied.path(TRAINING_CACHE))

    with _one_cpu():
        assert available_cpus() == 1
        _make_features(copied, as_of, "--memory-limit", "100")

    assert _tables(copied, as_of) == _tables(volume, as_of)


def test_a_training_row_is_the_scoring_row_of_its_period(volume: Volume, copied: Volume, as_of: date) -> None:
    earlier = Period(as_of, 7).back(1)
    training = volume.read(TRAINING, as_of).to_pandas()
    then = training[training["cutoff"] == earlier.as_of].drop(columns=["cutoff", "target"])

    _make(copied, earlier.as_of)

    scored = copied.read(SCORING, earlier.as_of).to_pandas()
    assert list(scored.columns) == [*PAIR, *FEATURE_NAMES]
    # Without the customer who never bought, who is in no training period.
    known = scored[scored["customer_recency_days"].notna()]
    assert len(scored) > len(known) == len(then) > 50
    pd.testing.assert_frame_equal(then.reset_index(drop=True), known.reset_index(drop=True), check_exact=True)
    forecasts = volume.read(FORECASTS, as_of).to_pandas().set_index("cutoff")
    earlier_forecasts = copied.read(FORECASTS, earlier.as_of).to_pandas().set_index("cutoff")
    columns = ["level", "calendar", "expected_pairs"]
    then, now = (table.loc[earlier.as_of, columns] for table in (earlier_forecasts, forecasts))
    assert then.equals(now)


@pytest.fixture(params=[7, 5])
def horizon_days(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def of_horizon(volume: Volume, tmp_path: Path, as_of: date, horizon_days: int) -> Volume:
    if horizon_days == 7:
        return volume
    other = Volume(shutil.copytree(volume.root, tmp_path / "volume"))
    _make_features(other, as_of, "--horizon-days", str(horizon_days))
    return other


def test_the_target_is_a_purchase_from_the_cutoff_to_before_the_end_of_the_horizon(
    of_horizon: Volume, as_of: date, horizon_days: int
) -> None:
    training = of_horizon.read(TRAINING, as_of).to_pandas()
    purchases = read_transactions(of_horizon, as_of).to_pandas()
    assert list(training["cutoff"].unique()) == [as_of - timedelta(days=7 * back) for back in (3, 2, 1)]
    for cutoff, rows in training.groupby("cutoff"):
        days = [cutoff + timedelta(days=number) for number in range(horizon_days)]
        inside = purchases[purchases["purchase_date"].isin(days)]
        bought = set(inside[PAIR].itertuples(index=False, name=None))
        expected = [int(pair in bought) for pair in rows[PAIR].itertuples(index=False, name=None)]
        assert list(rows["target"]) == expected
        assert 0 < sum(expected) < len(expected)


def test_training_periods_do_not_overlap_and_start_on_the_weekday_of_the_cutoff() -> None:
    ten_days = Period(date(2024, 9, 16), 10)
    past = select_training_periods(ten_days, date(2024, 7, 1), n_periods=9, min_history_days=30)
    # The third starts 35 days after the first purchase, a fourth would 21 days after it.
    assert [period.as_of for period in past] == [date(2024, 9, 2), date(2024, 8, 19), date(2024, 8, 5)]
    assert select_training_periods(ten_days, date(2024, 7, 1), n_periods=2, min_history_days=30) == past[:2]


def test_popular_products_sell_best_to_the_type_then_to_all_then_have_the_smallest_number(
    tmp_path: Path,
) -> None:
    connection = ibis.duckdb.connect()

    def table(name: str, columns: list[str], rows: list[tuple[object, ...]]) -> Table:
        pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / f"{name}.parquet", index=False)
        return connection.read_parquet(tmp_path / f"{name}.parquet")

    # In order of popularity, last first; ordered by number they would differ.
    by_type = table(
        "by_type",
        ["customer_type", "product_id", "type_buyers_1w", "type_buyers_4w", "product_buyers_1w"],
        [
            ("KIOSCO", 1_000_001, 0, 9.0, 9),
            ("KIOSCO", 30_000_000_007, 2, 1.0, 6),
            ("KIOSCO", 30_000_000_003, 2, 1.0, 6),
            ("KIOSCO", 40_000_000_009, 2, 1.0, 7),
            ("KIOSCO", 50_000_000_021, 2, 1.5, 3),
            ("KIOSCO", 60_000_000_011, 3, 0.75, 3),
            ("", 1_000_001, 1, 0.25, 9),
        ],
    )
    customers = table("customers", ["customer_id", "customer_type"], [(8, None), (7, "KIOSCO")])
    popular = select_popular_products(by_type, n_popular=4)
    pairs = table("pairs", [*PAIR, "pair_position"], [(7, 60_000_000_011, 1), (7, 5, 2), (7, 6, 3)])

    chosen = select_candidates(customers, pairs, popular, max_bought=2).to_pyarrow().to_pylist()

    popular = (60_000_000_011, 50_000_000_021, 40_000_000_009, 30_000_000_003)
    expected = [(7, 5), *((7, product) for product in popular), (8, 1_000_001)]
    assert sorted((row["customer_id"], row["product_id"]) for row in chosen) == sorted(expected)


def test_positions_follow_weight_and_for_equal_weights_the_product_number(
    volume: Volume, as_of: date
) -> None:
    rows = volume.read(TRAINING, as_of).to_pandas()
    bought = rows[rows["pair_weeks"] > 0]
    own = ["cutoff", "customer_id"]
    ascending = [True, True, False, True]
    ordered = bought.sort_values([*own, "pair_weight_90", "product_id"], ascending=ascending)
    assert ordered.duplicated([*own, "pair_weight_90"]).any()
    assert (ordered.groupby(own)["pair_position"].diff().dropna() > 0).all()


def test_rows_are_in_order_of_cutoff_customer_and_product(volume: Volume, as_of: date) -> None:
    for dataset in (TRAINING, SCORING):
        keys = volume.read(dataset, as_of, columns=list(dataset.contract.key)).to_pandas()
        rows = list(keys.itertuples(index=False, name=None))
        assert rows == sorted(set(rows))


def test_dates_moved_by_whole_weeks_change_nothing_but_the_calendar(
    volume: Volume, raw: SyntheticRaw, as_of: date, tmp_path: Path
) -> None:
    weeks = timedelta(weeks=30)
    lines = _raw_lines(raw)
    moved = _fresh(tmp_path / "moved", raw, lines.assign(purchase_date=lines["purchase_date"] + weeks))

    _make(moved, as_of + weeks)

    scoring = moved.read(SCORING, as_of + weeks).drop_columns(["period_calendar"])
    assert scoring.equals(volume.read(SCORING, as_of).drop_columns(["period_calendar"]))
