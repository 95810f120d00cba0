"""The stage on a volume: candidates of every customer, options, and expected failures in one line."""

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import (
    CUSTOMERS,
    EXTRACT,
    FEATURES_STAGE,
    FORECASTS,
    LEDGER,
    PRODUCTS,
    SCORING,
    TRAINING,
    Dataset,
)
from sodai.volume.transactions import read_transactions, transaction_partitions
from sodai.volume.volume import Volume
from support.sales_data import FIRST_CUSTOMER, FIRST_PRODUCT, make_raw, write_transactions
from support.week import Outcome, files_of, run_stage

N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 12, 10, 12
NEVER_BUYS, NEVER_SOLD = FIRST_CUSTOMER + N_CUSTOMERS - 1, FIRST_PRODUCT + N_PRODUCTS - 1
MAX_BOUGHT, N_POPULAR = 2, 3
PAIR = ["customer_id", "product_id"]
# The oldest purchase is 84 days before the cutoff, 63 before the third training period.
MIN_HISTORY_DAYS = 63


@dataclass(frozen=True)
class FinishedRun:
    """The outcome of a run and its tables."""

    outcome: Outcome
    training: pd.DataFrame
    scoring: pd.DataFrame
    forecasts: pd.DataFrame


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, date]:
    """Return a volume after extract_and_validate_data, and its cutoff; read-only for tests."""
    raw = make_raw(tmp_path_factory.mktemp("cli") / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS)
    assert run_stage(EXTRACT, raw.folder.parent, str(raw.as_of)).code == 0
    return Volume(raw.folder.parent), raw.as_of


@pytest.fixture
def as_of(extracted: tuple[Volume, date]) -> date:
    return extracted[1]


@pytest.fixture
def volume(extracted: tuple[Volume, date], tmp_path: Path) -> Volume:
    return Volume(shutil.copytree(extracted[0].root, tmp_path / "volume"))


@pytest.fixture(scope="module")
def finished(extracted: tuple[Volume, date], tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Run the stage with few candidates and as few periods as possible."""
    root = shutil.copytree(extracted[0].root, tmp_path_factory.mktemp("finished") / "volume")
    outcome = _run(
        Volume(root),
        extracted[1],
        *("--max-bought", str(MAX_BOUGHT), "--n-popular", str(N_POPULAR)),
        *("--min-history-days", str(MIN_HISTORY_DAYS)),
    )
    assert outcome.code == 0, outcome.log
    tables = (Volume(root).read(dataset, extracted[1]) for dataset in (TRAINING, SCORING, FORECASTS))
    return FinishedRun(outcome, *(table.to_pandas() for table in tables))


def _run(volume: Volume, as_of: date, *options: str) -> Outcome:
    return run_stage(FEATURES_STAGE, volume.root, str(as_of), *options)


def _refused(volume: Volume, as_of: date, *options: str) -> str:
    """Return the one-line error of a run that must end with exit code 1 and change no file."""
    before = files_of(volume.root)
    outcome = _run(volume, as_of, *options)
    assert outcome.code == 1
    assert len(outcome.log.splitlines()) == 1
    assert files_of(volume.root) == before
    return str(outcome.result["error"])


def test_the_result_line_counts_what_was_written(finished: FinishedRun, as_of: date) -> None:
    cutoffs = [as_of - timedelta(weeks=back) for back in (3, 2, 1)]
    assert finished.outcome.result == {
        "stage": FEATURES_STAGE,
        "status": "done",
        "as_of": str(as_of),
        "training_rows": len(finished.training),
        "training_periods": [str(cutoffs[0]), str(cutoffs[-1])],
        "training_periods_reused": 0,
        "training_customers_share": 1.0,
        "scoring_rows": len(finished.scoring),
        "expected_pairs": round(finished.forecasts["expected_pairs"].iloc[-1], 1),
    }
    assert list(finished.training["cutoff"].unique()) == cutoffs


def test_every_period_of_the_two_tables_has_a_forecast_and_closed_ones_their_realised_pairs(
    finished: FinishedRun, extracted: tuple[Volume, date]
) -> None:
    volume, as_of = extracted
    forecasts = finished.forecasts
    assert list(forecasts["cutoff"]) == [*finished.training["cutoff"].unique(), as_of]
    purchases = read_transactions(volume, as_of).to_pandas()
    for row in forecasts.iloc[:-1].itertuples():
        inside = purchases["purchase_date"].between(row.cutoff, row.cutoff + timedelta(days=6))
        assert row.realised_pairs == len(purchases.loc[inside, PAIR].drop_duplicates()) > 0
    assert pd.isna(forecasts["realised_pairs"].iloc[-1])
    assert (forecasts["expected_pairs"] == forecasts["level"] * forecasts["calendar"]).all()
    # Every week sells about the same.
    closed = forecasts.dropna()
    assert closed["expected_pairs"].div(closed["realised_pairs"]).between(0.7, 1.4).all()


def test_the_calendar_of_the_forecast_is_a_feature_of_its_period(finished: FinishedRun, as_of: date) -> None:
    calendar = finished.forecasts.set_index("cutoff")["calendar"].astype("float32")
    for cutoff, rows in finished.training.groupby("cutoff"):
        assert set(rows["period_calendar"]) == {calendar[cutoff]}
    assert set(finished.scoring["period_calendar"]) == {calendar[as_of]}


def test_a_customer_without_history_gets_the_popular_candidates(
    finished: FinishedRun,
) -> None:
    own = finished.scoring[finished.scoring["customer_id"] == NEVER_BUYS]
    assert len(own) == N_POPULAR
    assert own["pair_recency_days"].isna().all()
    assert (own["pair_weeks"] == 0).all()


def test_a_product_without_sales_is_no_candidate(
    finished: FinishedRun, extracted: tuple[Volume, date]
) -> None:
    products = extracted[0].read(PRODUCTS, extracted[1])["product_id"].to_pylist()
    assert NEVER_SOLD in products
    for rows in (finished.training, finished.scoring):
        assert set(rows["product_id"]) < set(products) - {NEVER_SOLD}


def test_every_customer_has_candidates_within_the_bounds(
    finished: FinishedRun,
) -> None:
    # The last customer never bought, and is in no closed period.
    for rows, n_customers in (
        (finished.training, N_CUSTOMERS - 1),
        (finished.scoring.assign(cutoff=None), N_CUSTOMERS),
    ):
        for _, period in rows.groupby("cutoff", dropna=False):
            counts = period.groupby("customer_id").size()
            assert len(counts) == n_customers
            assert counts.between(N_POPULAR, MAX_BOUGHT + N_POPULAR).all()
            bought = period[period["pair_position"] <= MAX_BOUGHT].groupby("customer_id").size()
            assert (bought == MAX_BOUGHT).all()


def test_one_customer_alone_is_enough(tmp_path: Path) -> None:
    raw = make_raw(tmp_path / "raw", n_customers=1, n_products=5, n_weeks=N_WEEKS)
    volume = Volume(tmp_path)
    assert run_stage(EXTRACT, tmp_path, str(raw.as_of)).code == 0

    outcome = _run(volume, raw.as_of, "--training-periods", "3", "--min-history-days", "28")

    assert outcome.code == 0, outcome.log
    scoring = volume.read(SCORING, raw.as_of).to_pandas()
    assert set(scoring["customer_id"]) == {FIRST_CUSTOMER}
    # The fifth product was never sold.
    assert list(scoring["product_id"]) == [FIRST_PRODUCT + number for number in range(4)]
    # All who bought are of its type, so the type buys like all customers.
    assert set(scoring["product_type_lift_4w"].dropna()) == {1.0}
    assert (scoring["product_customers"] == 1).all()


def test_fewer_than_three_closed_periods_are_one_line(volume: Volume, as_of: date) -> None:
    line = _refused(volume, as_of, "--min-history-days", str(MIN_HISTORY_DAYS + 1))
    assert line == (
        f"create_features: found 2 closed periods before {as_of} with 64 days of purchases before "
        "them, expected at least 3; load older transactions, give a later --as-of or lower "
        "--min-history-days"
    )


@pytest.mark.parametrize(
    ("weeks_back", "n_lines"), [pytest.param(60, 1, id="a year"), pytest.param(52 * 19, 60, id="2005")]
)
def test_old_lines_of_mistyped_dates_change_neither_forecasts_nor_the_required_history(
    volume: Volume, as_of: date, finished: FinishedRun, weeks_back: int, n_lines: int
) -> None:
    lines = pd.read_parquet(volume.root / "raw" / "transacciones.parquet")
    lines = lines.query("items > 0").drop_duplicates().tail(n_lines)
    mistyped = lines.assign(
        purchase_date=lines["purchase_date"] - pd.Timedelta(weeks=weeks_back),
        order_id=lines["order_id"] + 10**6,
    )
    write_transactions(volume.root / "raw" / "transacciones_mistyped.parquet", mistyped)
    assert run_stage(EXTRACT, volume.root, str(as_of)).code == 0
    assert len(read_transactions(volume, as_of - timedelta(weeks=50))) == n_lines

    line = _refused(volume, as_of, "--min-history-days", str(MIN_HISTORY_DAYS + 1))
    assert "found 2 closed periods" in line
    assert _run(volume, as_of, "--min-history-days", str(MIN_HISTORY_DAYS)).code == 0
    pd.testing.assert_frame_equal(volume.read(FORECASTS, as_of).to_pandas(), finished.forecasts)


def test_a_cutoff_within_the_first_week_is_one_line(volume: Volume, as_of: date) -> None:
    soon = as_of - timedelta(weeks=N_WEEKS) + timedelta(days=2)
    _copy_week(volume, as_of, soon)
    assert f"found 0 closed periods before {soon} with 56 days" in _refused(volume, soon)


def test_a_first_week_whose_purchases_are_all_after_the_cutoff_is_one_line(
    tmp_path: Path, extracted: tuple[Volume, date]
) -> None:
    # The week starts on Monday, its first purchase is on Wednesday.
    raw = make_raw(tmp_path / "raw", N_CUSTOMERS, N_PRODUCTS, 4, first_day=date(2024, 1, 3))
    volume = Volume(tmp_path)
    assert run_stage(EXTRACT, tmp_path, str(raw.as_of)).code == 0
    _copy_week(volume, raw.as_of, date(2024, 1, 2))
    assert "found 0 closed periods before 2024-01-02" in _refused(volume, date(2024, 1, 2))


def test_a_cutoff_before_all_purchases_is_one_line(volume: Volume, as_of: date) -> None:
    ago = as_of - timedelta(weeks=N_WEEKS)
    _copy_week(volume, as_of, ago)
    line = _refused(volume, ago)
    assert f"no purchases before {ago}, expected some weeks of history" in line


def test_a_volume_without_a_warehouse_is_one_line_that_names_the_stage_to_run(tmp_path: Path) -> None:
    line = _refused(Volume(tmp_path), date(2024, 9, 16))
    assert line.endswith("ledger is missing; run extract_and_validate_data for this period first")


def test_a_period_that_was_not_extracted_is_one_line_that_names_the_stage_to_run(
    volume: Volume, as_of: date
) -> None:
    line = _refused(volume, as_of - timedelta(weeks=1))
    assert "customers.parquet is missing; run extract_and_validate_data for this period first" in line


def test_a_missing_partition_is_one_line(volume: Volume, as_of: date) -> None:
    [*transaction_partitions(volume, as_of).values()][3].unlink()
    assert "missing but named by the ledger; run extract_and_validate_data" in _refused(volume, as_of)


@pytest.mark.parametrize("dataset", [CUSTOMERS, PRODUCTS, LEDGER], ids=lambda dataset: dataset.name)
def test_an_unreadable_input_is_one_line(volume: Volume, as_of: date, dataset: Dataset) -> None:
    volume.path(dataset, as_of).write_bytes(b"not what it should be")
    line = _refused(volume, as_of)
    assert str(volume.path(dataset, as_of)) in line
    assert f"run {dataset.remedy}" in line


@pytest.mark.parametrize("dataset", [CUSTOMERS, PRODUCTS], ids=lambda dataset: dataset.name)
def test_an_input_without_a_column_is_one_line(volume: Volume, as_of: date, dataset: Dataset) -> None:
    path = volume.path(dataset, as_of)
    removed = dataset.contract.names[-1]
    pq.write_table(pq.read_table(path).drop_columns([removed]), path)
    assert f"column {removed} is missing" in _refused(volume, as_of)


@pytest.mark.parametrize(
    "option", [("--training-periods", "2"), ("--min-history-days", "0"), ("--n-popular", "0")]
)
def test_an_option_out_of_bounds_is_a_usage_error(
    volume: Volume, as_of: date, option: tuple[str, str]
) -> None:
    outcome = _run(volume, as_of, *option)
    assert outcome.code == 2
    assert outcome.result == {}


def _copy_week(volume: Volume, from_: date, to: date) -> None:
    """Copy customers and products to a cutoff that extract_and_validate_data would refuse."""
    weeks = volume.path(CUSTOMERS, from_).parent
    shutil.copytree(weeks, volume.path(CUSTOMERS, to).parent)


def test_another_engine_than_that_of_the_earlier_run_reruns_the_stage(
    volume: Volume, as_of: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--min-history-days", str(MIN_HISTORY_DAYS), "--no-force")
    assert run_stage(FEATURES_STAGE, volume.root, str(as_of), *options).code == 0
    before = files_of(volume.root)
    monkeypatch.setattr("sodai.engines.session.ANSWER_SECONDS", 0.5)
    spark = ("--engine", "spark", "--spark-remote", "sc://127.0.0.1:1")
    outcome = run_stage(FEATURES_STAGE, volume.root, str(as_of), *options, *spark)
    assert "rerunning: --engine was duckdb, is spark" in outcome.log
    assert outcome.code == 1
    assert "did not answer within 0.5 s" in outcome.result["error"]
    assert files_of(volume.root) == before
    assert run_stage(FEATURES_STAGE, volume.root, str(as_of), *options).result["skipped"]
