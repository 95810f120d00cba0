"""A business of three customers, and a week in which it was closed: empty columns do not stop a run."""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest

from detect_data_drift.champion import read_champion
from detect_data_drift.core_columns import explain_empty, list_drift_tests
from detect_data_drift.inputs import read_entities
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
from sodai.data.periods import Period
from sodai.model.registry import Registry
from sodai.volume.volume import Volume
from support.champion import SMALL_SEARCH, run_stage
from support.sales_data import make_raw, write_transactions

# The last customer of `make_raw` never buys.
N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 4, 14, 20
SEEDS = range(4)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, list[date]]:
    """Return a champion of the first of five weeks and features of the others; the second week is closed."""
    volume = Volume(tmp_path_factory.mktemp("small") / "volume")
    raw = make_raw(volume.root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS)
    days = [raw.as_of - timedelta(weeks=back) for back in range(4, -1, -1)]
    close(raw.folder / "transacciones.parquet", days[1])
    for stage, *options in ([EXTRACT], [FEATURES_STAGE], [DRIFT], [RETRAIN, *SMALL_SEARCH], [EVALUATE]):
        outcome = run_stage(stage, volume.root, days[0], *options)
        assert outcome.code == 0, outcome.log
    for day in days[1:]:
        for stage in (EXTRACT, FEATURES_STAGE):
            outcome = run_stage(stage, volume.root, day)
            assert outcome.code == 0, outcome.log
    return volume, days


def close(file: Path, monday: date) -> None:
    """Remove a week from a file of transactions."""
    lines = pd.read_parquet(file)
    day = pd.to_datetime(lines["purchase_date"]).dt.date
    write_transactions(file, lines[(day < monday) | (day >= monday + timedelta(weeks=1))])


@pytest.fixture(scope="module")
def left_out(weeks: tuple[Volume, list[date]]) -> dict[tuple[date, int], dict[str, str]]:
    """Return first day of a later week and seed -> the columns that could not be tested."""
    volume, days = weeks
    # Evidently takes seconds for a report, and adds nothing to the columns that are left out.
    return {(day, seed): explain_left_out(volume, day, seed) for day in days[1:] for seed in SEEDS}


def explain_left_out(volume: Volume, day: date, seed: int) -> dict[str, str]:
    """Return the columns that the stage leaves out, from its own inputs; a column that stops it raises."""
    period = Period(day, 7)
    with TemporaryDirectory() as scratch:
        _, champion = read_champion(Registry(volume), Path(scratch), period, lenient=False)
    assert champion
    samples = read_entities(volume, period, seed), champion.reference.to_pandas()
    _, *feature_tests = list_drift_tests()
    reasons = {test.column: explain_empty(*samples, test) for test in feature_tests}
    return {column: reason for column, reason in reasons.items() if reason}


def run_and_read_left_out(volume: Volume, day: date, seed: int) -> dict[str, str]:
    outcome = run_stage(DRIFT, volume.root, day, "--seed", str(seed))
    assert outcome.code == 0, outcome.log
    record = volume.read_json(DRIFT_REPORT, day)
    assert not set(record["left_out"]) & set(volume.read(DRIFT_TABLE, day)["column"].to_pylist())
    page = volume.path(DRIFT_PAGE, day).read_text()
    assert all(name in page for name in record["left_out"])
    return record["left_out"]


def is_by_chance(reasons: dict[str, str]) -> bool:
    return any("to be expected" in reason for reason in reasons.values())


def test_columns_that_three_customers_leave_empty_by_chance_stop_no_run(
    weeks: tuple[Volume, list[date]], left_out: dict[tuple[date, int], dict[str, str]]
) -> None:
    volume, _ = weeks
    by_chance = [key for key, reasons in left_out.items() if is_by_chance(reasons)]
    assert by_chance
    for day, seed in by_chance:
        assert run_and_read_left_out(volume, day, seed) == left_out[day, seed]


def test_the_stage_leaves_them_out_of_table_and_report_and_names_them(
    weeks: tuple[Volume, list[date]], left_out: dict[tuple[date, int], dict[str, str]]
) -> None:
    volume, days = weeks
    for day in days[1:]:
        if not is_by_chance(left_out[day, 0]):  # the test above ran the others
            assert run_and_read_left_out(volume, day, 0) == left_out[day, 0]


def test_the_weeks_after_a_closed_one_leave_out_the_features_that_look_at_it(
    weeks: tuple[Volume, list[date]], left_out: dict[tuple[date, int], dict[str, str]]
) -> None:
    _, days = weeks
    closed, after, later, last = (left_out[day, 0] for day in days[1:])
    assert not {name for name in closed if name.startswith("product_")}
    features_of_last_week = dict.fromkeys(
        ("product_share_1w", "product_family_share_1w", "product_brand_size_share_1w"),
        "no value this week, where product_buyers_1w is 0 throughout",
    )
    assert features_of_last_week.items() <= after.items()
    assert later["product_repeat_rate"] == (
        "no value this week, where product_buyers_2nd_week is 0 throughout"
    )
    assert not {name for name in last if name.startswith("product_")}
