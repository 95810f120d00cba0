"""A business of three customers, and a week in which it was closed: empty columns that stop no run."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from sodai.data.catalog import (
    DRIFT,
    DRIFT_PAGE,
    DRIFT_REPORT,
    DRIFT_TABLE,
    EVALUATE,
    EXTRACT,
    FEATURES_STAGE,
    RETRAIN,
)
from sodai.volume.volume import Volume
from support.champion import SMALL_SEARCH, run_stage
from support.sales_data import make_raw, write_transactions

# The last customer of `make_raw` never buys.
N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 4, 14, 20
SEEDS = range(4)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, list[date]]:
    """A champion of the first of five weeks, the features of the others, and the second week closed."""
    volume = Volume(tmp_path_factory.mktemp("small") / "volume")
    made = make_raw(volume.root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS)
    days = [made.as_of - timedelta(weeks=back) for back in range(4, -1, -1)]
    close(made.folder / "transacciones.parquet", days[1])
    for stage, *options in ([EXTRACT], [FEATURES_STAGE], [DRIFT], [RETRAIN, *SMALL_SEARCH], [EVALUATE]):
        outcome = run_stage(stage, volume.root, days[0], *options)
        assert outcome.code == 0, outcome.log
    for day in days[1:]:
        for stage in (EXTRACT, FEATURES_STAGE):
            outcome = run_stage(stage, volume.root, day)
            assert outcome.code == 0, outcome.log
    return volume, days


def close(file: Path, monday: date) -> None:
    """Take a week out of a file of transactions."""
    lines = pd.read_parquet(file)
    day = pd.to_datetime(lines["purchase_date"]).dt.date
    write_transactions(file, lines[(day < monday) | (day >= monday + timedelta(weeks=1))])


@pytest.fixture(scope="module")
def left_out(weeks: tuple[Volume, list[date]]) -> dict[tuple[date, int], dict[str, str]]:
    """First day of a week after the first, and seed -> what the gate could not test."""
    volume, days = weeks
    return {(day, seed): _left_out(volume, day, seed) for day in days[1:] for seed in SEEDS}


def _left_out(volume: Volume, day: date, seed: int) -> dict[str, str]:
    """By the record of the week; the run itself ends well."""
    outcome = run_stage(DRIFT, volume.root, day, "--seed", str(seed))
    assert outcome.code == 0, outcome.log
    record = volume.read_json(DRIFT_REPORT, day)
    assert not set(record["left_out"]) & set(volume.read(DRIFT_TABLE, day)["column"].to_pylist())
    page = volume.path(DRIFT_PAGE, day).read_text()
    assert all(name in page for name in record["left_out"])
    return record["left_out"]


def test_what_three_customers_leave_empty_by_chance_stops_no_week(
    left_out: dict[tuple[date, int], dict[str, str]],
) -> None:
    by_chance = [
        reason for each in left_out.values() for reason in each.values() if "to be expected" in reason
    ]
    assert by_chance


def test_the_weeks_after_a_closed_one_leave_out_what_asks_about_it(
    weeks: tuple[Volume, list[date]], left_out: dict[tuple[date, int], dict[str, str]]
) -> None:
    _, days = weeks
    closed, after, later, last = (left_out[day, 0] for day in days[1:])
    assert not {name for name in closed if name.startswith("product_")}
    of_last_week = dict.fromkeys(
        ("product_share_1w", "product_family_share_1w", "product_brand_size_share_1w"),
        "no value this week, where product_buyers_1w is 0 throughout",
    )
    assert of_last_week.items() <= after.items()
    assert later["product_repeat_rate"] == (
        "no value this week, where product_buyers_2nd_week is 0 throughout"
    )
    assert not {name for name in last if name.startswith("product_")}
