"""The stage on volumes with and without a champion: decisions, records, and errors that are not drift."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from detect_data_drift import core_columns
from detect_data_drift.core_columns import DriftTest
from detect_data_drift.core_drift_result import DriftResult
from detect_data_drift.report import build_drift_report
from sodai.data.catalog import DECISION, DRIFT, DRIFT_PAGE, DRIFT_REPORT, DRIFT_TABLE, SCORING
from sodai.data.feature_catalog import FEATURES
from sodai.errors import TRAIN_AGAIN
from sodai.model.registry import MODEL_NAME, Registry
from sodai.volume.volume import Volume
from support.champion import SmallWeek, delete_run, run_stage, week_with_features
from support.week import Outcome, files_of

_REPORTS: list[tuple[tuple[pd.DataFrame, pd.DataFrame], DriftResult]] = []
OUTPUTS = (DECISION, DRIFT_TABLE, DRIFT_REPORT, DRIFT_PAGE)


@pytest.fixture
def volume(week: SmallWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")


@pytest.fixture(scope="module")
def same_week(week: SmallWeek, tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, Outcome]:
    """Return a run on the week that the champion was trained for, read-only."""
    volume = week.copy(tmp_path_factory.mktemp("same") / "volume")
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert outcome.code == 0, outcome.log
    return volume, outcome


@pytest.fixture
def cached_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a stage that compares equal samples the report of an earlier test: Evidently takes seconds."""

    def build_or_reuse(current: pd.DataFrame, reference: pd.DataFrame, tests: list[DriftTest]) -> DriftResult:
        for samples, result in _REPORTS:
            if samples[0].equals(current) and samples[1].equals(reference):
                return result
        result = build_drift_report(current, reference, tests)
        _REPORTS.append(((current, reference), result))
        return result

    monkeypatch.setattr("detect_data_drift.report.build_drift_report", build_or_reuse)


def artifact(volume: Volume, name: str) -> Path:
    """Return a file of the only version, as MLflow stores it."""
    (file,) = (volume.root / "mlflow" / "artifacts").rglob(name)
    return file


def change_model_card(volume: Volume, **changes: object) -> None:
    card_file = artifact(volume, "model.json")
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), **changes}))


def change_scoring(volume: Volume, week: SmallWeek, **columns: pa.Array | pa.ChunkedArray) -> None:
    file = volume.path(SCORING, week.as_of)
    table = pq.read_table(file)
    for name, values in columns.items():
        position = table.column_names.index(name)
        table = table.set_column(position, name, values.cast(table.schema.field(name).type))
    pq.write_table(table, file)


def signals(decision: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {signal["name"]: signal for signal in decision["signals"]}


def assert_one_line_and_no_decision(volume: Volume, outcome: Outcome, before: dict[str, bytes]) -> None:
    assert outcome.code == 1
    assert outcome.result["status"] == "failed"
    assert "branch" not in outcome.result
    assert len(outcome.log.strip().splitlines()) == 1
    assert "Traceback" not in outcome.log
    assert files_of(volume.root) == before


def assert_force_trains(volume: Volume, week: SmallWeek) -> None:
    forced = run_stage(DRIFT, volume.root, week.as_of, "--force-retrain")
    assert forced.code == 0, forced.log
    assert (forced.result["rule"], forced.result["drift_share"]) == ("forced", None)
    assert volume.read_json(DECISION, week.as_of)["champion_version"] == "1"


def test_without_a_champion_a_model_is_trained_and_the_page_says_so(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    week = week_with_features(tmp_path_factory.getbasetemp())
    volume = week.copy(tmp_path / "volume")

    outcome = run_stage(DRIFT, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert (outcome.result["branch"], outcome.result["rule"]) == ("retrain_model", "no_champion")
    decision = volume.read_json(DECISION, week.as_of)
    assert decision["champion_version"] is None
    assert decision["drift_share"] is None
    assert list(signals(decision)) == ["champion", "force_retrain"]
    assert volume.read(DRIFT_TABLE, week.as_of).num_rows == 0
    page = volume.path(DRIFT_PAGE, week.as_of).read_text()
    assert "No drift report was made: there is no champion yet." in page


def test_on_the_week_that_it_was_trained_for_the_champion_is_loaded(
    same_week: tuple[Volume, Outcome], week: SmallWeek
) -> None:
    volume, outcome = same_week
    assert (outcome.result["branch"], outcome.result["rule"]) == ("load_existing_model", "none")
    decision = volume.read_json(DECISION, week.as_of)
    assert decision["as_of"] == str(week.as_of)
    assert decision["champion_version"] == "1"
    assert decision["reason"] == outcome.result["reason"] == "no rule asks for training"
    assert [(name, signal["fired"]) for name, signal in signals(decision).items()] == [
        ("champion", False),
        ("force_retrain", False),
        ("horizon_days", False),
        ("trained_for", False),
        ("drift_share", False),
        ("prediction_drift", False),
        ("demand_deviation", False),
        ("returned_ratio", False),
        ("realised_set_lead", False),
        ("realised_list_lead", False),
        ("age_weeks", False),
    ]
    assert all(signal["would_flip"] for signal in decision["signals"])


def test_the_records_and_the_page_agree_on_the_figures(
    same_week: tuple[Volume, Outcome], week: SmallWeek
) -> None:
    volume, outcome = same_week
    assert all(volume.exists(dataset, week.as_of) for dataset in OUTPUTS)
    table = volume.read(DRIFT_TABLE, week.as_of).to_pandas()
    features = table[table["column"] != "prediction"]
    share = features["drifted"].mean()
    assert outcome.result["n_tested"] == len(features) == len(table) - 1 > 50
    assert outcome.result["n_drifted"] == features["drifted"].sum()
    assert outcome.result["drift_share"] == pytest.approx(share)
    assert volume.read_json(DECISION, week.as_of)["drift_share"] == pytest.approx(share)
    value = signals(volume.read_json(DECISION, week.as_of))["prediction_drift"]["value"]
    assert value == pytest.approx(table.set_index("column").loc["prediction", "score"], abs=1e-6)
    report = volume.read_json(DRIFT_REPORT, week.as_of)
    assert report["share"] == pytest.approx(share)
    assert report["columns"] == table.to_dict("records")
    tested = {test.column for test in core_columns.list_drift_tests()}
    assert {*table["column"], *report["left_out"]} == tested
    assert (table[["n_current", "n_reference"]] > 0).all(axis=None)
    assert (table["drifted"] == (table["score"] >= table["threshold"])).all()
    page = volume.path(DRIFT_PAGE, week.as_of).read_text()
    assert all(name in page for name in table["column"])


def test_force_retrain_trains_again_and_keeps_the_figures_of_the_report(
    same_week: tuple[Volume, Outcome], volume: Volume, week: SmallWeek
) -> None:
    outcome = run_stage(DRIFT, volume.root, week.as_of, "--force-retrain")

    assert outcome.code == 0, outcome.log
    assert (outcome.result["branch"], outcome.result["rule"]) == ("retrain_model", "forced")
    assert outcome.result["reason"] == "training was forced"
    # The same data and the same seed: the report is the same to the byte.
    for dataset in (DRIFT_TABLE, DRIFT_REPORT):
        assert (
            volume.path(dataset, week.as_of).read_bytes()
            == same_week[0].path(dataset, week.as_of).read_bytes()
        )


def test_a_week_unlike_the_reference_asks_for_training(volume: Volume, week: SmallWeek) -> None:
    change_model_card(volume, as_of=str(week.as_of - timedelta(weeks=9)))
    scoring = pq.read_table(volume.path(SCORING, week.as_of))
    moved = [
        feature.name
        for feature in FEATURES
        if feature.group in ("customer", "product", "time") and not feature.categorical
    ]
    change_scoring(volume, week, **{name: pc.add(scoring[name], 1e6) for name in moved})

    outcome = run_stage(DRIFT, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert (outcome.result["branch"], outcome.result["rule"]) == ("retrain_model", "drift")
    decision = volume.read_json(DECISION, week.as_of)
    by_name = signals(decision)
    assert by_name["drift_share"]["fired"]
    assert by_name["demand_deviation"]["fired"]
    # The age fires too, after the drift.
    assert (by_name["age_weeks"]["value"], by_name["age_weeks"]["fired"]) == (9.0, True)
    assert decision["reason"].endswith("of the tested columns drifted, 29% or more ask for training")
    table = volume.read(DRIFT_TABLE, week.as_of).to_pandas().set_index("column")
    tested = [name for name in moved if name in table.index]
    assert len(tested) == 30
    assert (table.loc[tested, "score"] > 10 * core_columns.NUMERIC_THRESHOLD).all()
    assert table.loc[tested, "drifted"].all()


@pytest.mark.usefixtures("cached_report")
def test_a_champion_of_a_later_period_is_not_loaded_for_this_one(volume: Volume, week: SmallWeek) -> None:
    later = week.as_of + timedelta(weeks=3)
    change_model_card(volume, as_of=str(later))
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert outcome.code == 0, outcome.log
    assert (outcome.result["branch"], outcome.result["rule"]) == ("retrain_model", "backfill")
    assert f"trained for the later period of {later}" in outcome.result["reason"]


def register(volume: Volume, trained_for: date) -> None:
    """Register a version that is not promoted, with the tag that retrain_model gives it."""
    client = Registry(volume).client
    first = client.get_model_version(MODEL_NAME, "1")
    tags = {"as_of": str(trained_for)}
    client.create_model_version(MODEL_NAME, first.source, first.run_id, tags, model_id=first.model_id)


@pytest.mark.usefixtures("cached_report")
def test_a_training_that_was_not_promoted_starts_a_cool_down_too(volume: Volume, week: SmallWeek) -> None:
    change_model_card(volume, as_of=str(week.as_of - timedelta(weeks=9)))
    assert run_stage(DRIFT, volume.root, week.as_of).result["rule"] == "age"
    register(volume, week.as_of - timedelta(weeks=2))
    assert run_stage(DRIFT, volume.root, week.as_of).result["rule"] == "age"
    register(volume, week.as_of - timedelta(weeks=1))

    outcome = run_stage(DRIFT, volume.root, week.as_of)

    assert (outcome.result["branch"], outcome.result["rule"]) == ("load_existing_model", "none")
    age = signals(volume.read_json(DECISION, week.as_of))["age_weeks"]
    assert (age["value"], age["fired"]) == (9.0, False)
    assert age["would_flip"] == "a newest training older than the cool-down"


@pytest.mark.usefixtures("cached_report")
def test_a_training_registered_since_reruns_the_stage_unless_it_is_of_the_period_itself(
    volume: Volume, week: SmallWeek
) -> None:
    assert Registry(volume).snapshot().trained_for == {"1": str(week.as_of)}
    run_stage(DRIFT, volume.root, week.as_of)
    register(volume, week.as_of)
    register(volume, week.as_of + timedelta(weeks=1))
    assert run_stage(DRIFT, volume.root, week.as_of, "--no-force").result["skipped"]
    earlier = week.as_of - timedelta(weeks=1)
    register(volume, earlier)
    again = run_stage(DRIFT, volume.root, week.as_of, "--no-force")
    assert "skipped" not in again.result
    assert f"the newest training before it was for None, is for {earlier}" in again.log
    assert run_stage(DRIFT, volume.root, week.as_of, "--no-force").result["skipped"]


def test_a_missing_reference_is_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    artifact(volume, "reference.parquet").unlink()
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    expected = f"version 1 of sodai_purchase_model has no reference.parquet any more; {TRAIN_AGAIN}"
    assert outcome.result["error"].endswith(expected)
    assert_force_trains(volume, week)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reference.parquet", "reference.parquet of version 1: not readable"),
        ("model.json", "champion: not readable as a model"),
        ("model.skops", "champion: not readable as a model"),
    ],
)
def test_a_damaged_file_of_the_champion_is_an_error_and_not_drift(
    volume: Volume, week: SmallWeek, name: str, message: str
) -> None:
    file = artifact(volume, name)
    file.write_bytes(file.read_bytes()[:200])
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert message in outcome.result["error"]
    assert outcome.result["error"].endswith(TRAIN_AGAIN)
    assert_force_trains(volume, week)


def test_a_reference_without_a_feature_is_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    file = artifact(volume, "reference.parquet")
    pq.write_table(pq.read_table(file).drop_columns(["pair_recency_days"]), file)
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert "reference of version 1: column pair_recency_days is missing" in outcome.result["error"]


def test_a_column_that_is_empty_this_week_is_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    n_rows = volume.read(SCORING, week.as_of).num_rows
    change_scoring(volume, week, customer_recency_days=pa.nulls(n_rows, pa.float32()))
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert "drift of customer_recency_days: found 0 current" in outcome.result["error"]
    assert_force_trains(volume, week)


def test_a_week_without_candidates_is_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    file = volume.path(SCORING, week.as_of)
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)


def test_a_week_without_features_is_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    volume.path(SCORING, week.as_of).unlink()
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert "run create_features for this period first" in outcome.result["error"]


def test_features_of_another_horizon_are_an_error_and_not_drift(volume: Volume, week: SmallWeek) -> None:
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of, "--horizon-days", "5")
    assert_one_line_and_no_decision(volume, outcome, before)
    assert "made for periods of 7 days, found --horizon-days 5; give" in outcome.result["error"]


def test_a_champion_whose_run_was_deleted_is_an_error_unless_training_is_forced(
    volume: Volume, week: SmallWeek
) -> None:
    delete_run(volume, "1")
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert (
        "version 1 of sodai_purchase_model has no model.json any more; train again" in outcome.result["error"]
    )
    assert_force_trains(volume, week)


def test_a_champion_of_other_features_is_an_error_unless_training_is_forced(
    volume: Volume, week: SmallWeek
) -> None:
    features = json.loads(artifact(volume, "model.json").read_text())["features"]
    change_model_card(volume, features=[*features[:-1], "shoe_size"])
    before = files_of(volume.root)

    outcome = run_stage(DRIFT, volume.root, week.as_of)
    assert_one_line_and_no_decision(volume, outcome, before)
    assert (
        "champion: version 1 was trained on other features (removed: shoe_size" in (outcome.result["error"])
    )

    assert_force_trains(volume, week)


def test_a_registry_that_does_not_answer_is_an_error_and_not_drift(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = files_of(volume.root)
    outcome = run_stage(DRIFT, volume.root, week.as_of, "--tracking-uri", "http://127.0.0.1:9")
    assert_one_line_and_no_decision(volume, outcome, before)
    assert "MLflow at http://127.0.0.1:9" in outcome.result["error"]


@pytest.mark.usefixtures("cached_report")
def test_the_reference_of_a_champion_of_an_older_version_is_read(
    same_week: tuple[Volume, Outcome], volume: Volume, week: SmallWeek
) -> None:
    expected = same_week[0].read(DRIFT_TABLE, week.as_of)
    file = artifact(volume, "reference.parquet")
    reference = pq.read_table(file)
    names = ["unit" if name == "grain" else name for name in reference.column_names]
    pq.write_table(reference.rename_columns(names), file)

    assert run_stage(DRIFT, volume.root, week.as_of).code == 0
    assert volume.read(DRIFT_TABLE, week.as_of) == expected


def test_the_reference_has_one_row_per_customer_and_per_product_of_each_period(volume: Volume) -> None:
    reference = pd.read_parquet(artifact(volume, "reference.parquet"))
    customers = reference[reference["grain"] == "customer"]
    products = reference[reference["grain"] == "product"]
    assert not customers.duplicated(["cutoff", "customer_id"]).any()
    assert not products.duplicated(["cutoff", "product_id"]).any()
    # The last of 24 customers never buys.
    assert customers.groupby("cutoff").size().tolist() == [23] * reference["cutoff"].nunique()
