"""The stage on a volume with the results of a week: page, history, MLflow run, and missing results."""

import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import (
    DECISION,
    DRIFT_TABLE,
    EVALUATION,
    HISTORY,
    INTERPRET,
    METRICS,
    PREDICT,
    PREDICTIONS,
    RUN_PAGE,
    run_record,
)
from sodai.model.registry import Registry
from sodai.volume.volume import Volume
from support.week import (
    Outcome,
    WeekWithModel,
    files_of,
    run_stage,
    write_decision_and_evaluation,
    write_record,
)

# SHAP causes it when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The set_(bad|over|under) function:PendingDeprecationWarning")


@dataclass(frozen=True)
class LoggedWeek:
    """A first week after this stage, read-only, and the run records of the stages that really ran before."""

    root: Path
    outcome: Outcome
    run_records: Mapping[str, Any]


@pytest.fixture(scope="module")
def predicted_week(
    week_with_model: WeekWithModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Any]]:
    """Return a week up to its predictions, which trained the first version, and its real run records."""
    volume = Volume(shutil.copytree(week_with_model.root, tmp_path_factory.mktemp("predicted") / "volume"))
    as_of = week_with_model.as_of
    for stage in (INTERPRET, PREDICT):
        assert run_stage(stage, volume.root, str(as_of), "--k", "5").code == 0
    run_records = {stage: volume.read_json(run_record(stage), as_of) for stage in (INTERPRET, PREDICT)}
    write_decision_and_evaluation(volume, as_of)
    return volume.root, run_records


@pytest.fixture(scope="module")
def logged_week(
    predicted_week: tuple[Path, Mapping[str, Any]], as_of: date, tmp_path_factory: pytest.TempPathFactory
) -> LoggedWeek:
    root = shutil.copytree(predicted_week[0], tmp_path_factory.mktemp("logged") / "volume")
    return LoggedWeek(root, run_stage(METRICS, root, str(as_of)), predicted_week[1])


@pytest.fixture
def volume(predicted_week: tuple[Path, Mapping[str, Any]], tmp_path: Path) -> Volume:
    """Return a copy of `predicted_week`."""
    return Volume(shutil.copytree(predicted_week[0], tmp_path / "volume"))


@pytest.fixture
def logged(logged_week: LoggedWeek, tmp_path: Path) -> Volume:
    """Return a copy of `logged_week`."""
    return Volume(shutil.copytree(logged_week.root, tmp_path / "volume"))


def write_history(volume: Volume, as_of: date, rows: Sequence[Mapping[str, Any]]) -> None:
    with volume.attempt(METRICS, as_of) as attempt:
        attempt.write(HISTORY, pa.Table.from_pylist(list(rows), HISTORY.contract.schema))


def publish_again(volume: Volume, as_of: date, day: date) -> None:
    """Publish the predictions of the week for another one."""
    predictions = volume.read(PREDICTIONS, as_of)
    weeks = pa.array([day] * predictions.num_rows, pa.date32())
    with volume.attempt(PREDICT, day) as attempt:
        attempt.write(PREDICTIONS, predictions.set_column(0, "week", weeks))


def test_a_first_week_has_a_page_a_row_and_an_mlflow_run(logged_week: LoggedWeek, as_of: date) -> None:
    volume, outcome = Volume(logged_week.root), logged_week.outcome
    assert outcome.code == 0, outcome.log
    (row,) = volume.read(HISTORY).to_pylist()
    assert (row["as_of"], row["branch"], row["promoted"]) == (as_of, "retrain_model", True)
    assert row["wall_seconds"] == 1 + 2 + 3 + 4 + 6 + 7 + 8  # load_existing_model took no part
    assert row["realised_set_f1"] is None
    page = volume.path(RUN_PAGE, as_of).read_text()
    assert "There is no champion yet." in page
    assert "No drift figures: there was no champion yet" in page
    assert "2 trials, 1 completed" in page
    run = Registry(volume).client.get_run(outcome.result["mlflow_run"])
    assert run.data.tags["rule"] == "no_champion"
    assert run.data.metrics["challenger.set_f1"] == 0.6
    assert run.data.metrics["wall_seconds.create_features"] == 2.0


def test_a_week_that_loaded_the_champion_shows_drift_and_no_training(logged: Volume, as_of: date) -> None:
    volume = logged
    test = {"column": "pair_weeks", "grain": "pair", "method": "wasserstein", "threshold": 0.1}
    result = {"score": 0.25, "drifted": True, "n_current": 24, "n_reference": 192}
    table = pa.Table.from_pylist([{**test, **result}], DRIFT_TABLE.contract.schema)
    with volume.attempt("detect_data_drift", as_of) as attempt:
        attempt.write(DRIFT_TABLE, table)
    write_decision_and_evaluation(volume, as_of, first=False)

    outcome = run_stage(METRICS, volume.root, str(as_of))

    assert outcome.code == 0, outcome.log
    page = volume.path(RUN_PAGE, as_of).read_text()
    assert "1 of 1 tested columns drifted" in page
    assert "No training this week: version 1 was kept in use." in page


def test_the_page_names_the_stages_that_were_skipped(
    logged_week: LoggedWeek, logged: Volume, as_of: date
) -> None:
    volume = logged
    assert "Nothing had changed for" not in volume.path(RUN_PAGE, as_of).read_text()
    for stage, record in logged_week.run_records.items():
        write_record(volume, run_record(stage), as_of, record)
        assert run_stage(stage, volume.root, str(as_of), "--k", "5", "--no-force").result["skipped"]

    run_stage(METRICS, volume.root, str(as_of))

    page = volume.path(RUN_PAGE, as_of).read_text()
    assert "Nothing had changed for analyze_interpretability, generate_predictions: skipped" in page


def test_the_page_needs_nothing_outside_its_folder(logged_week: LoggedWeek, as_of: date) -> None:
    volume = Volume(logged_week.root)
    page = volume.path(RUN_PAGE, as_of).read_text()
    targets = set(re.findall(r'(?:href|src)="(?!#|data:)([^"]+)"', page))
    assert targets <= {"quality.html", "drift.html", "shap.html"}
    assert all(
        (volume.path(RUN_PAGE, as_of).parent / target).exists() for target in {"quality.html", "shap.html"}
    )


def test_last_weeks_predictions_are_compared_with_what_was_bought(logged: Volume, as_of: date) -> None:
    volume, before = logged, as_of - timedelta(days=7)
    (row,) = volume.read(HISTORY).to_pylist()
    write_history(volume, before, [{**row, "as_of": before}, row])
    publish_again(volume, as_of, before)

    run_stage(METRICS, volume.root, str(as_of))

    last, this = volume.read(HISTORY).to_pylist()
    assert last["realised_pairs"] > 0
    assert 0 < last["realised_set_f1"] < 1
    assert 0 < last["realised_recall_at_10"] <= 1
    assert this["realised_pairs"] is None
    assert f"The week of {before} had an expected demand of" in volume.path(RUN_PAGE, as_of).read_text()


def test_outcomes_of_the_newest_eight_weeks_are_recomputed_and_older_ones_stay(
    logged: Volume, as_of: date
) -> None:
    volume = logged
    (row,) = volume.read(HISTORY).to_pylist()
    days = [as_of - timedelta(weeks=back) for back in range(10, 0, -1)]
    recorded = {"realised_pairs": 7.0, "realised_set_f1": 0.25, "realised_recall_at_10": 0.75}
    rows = [*({**row, **recorded, "as_of": day} for day in days), row]
    write_history(volume, as_of, rows)
    for day in days:
        publish_again(volume, as_of, day)
    for day in days[:2]:
        volume.path(PREDICTIONS, day).write_bytes(b"not read")

    outcome = run_stage(METRICS, volume.root, str(as_of))

    assert outcome.code == 0, outcome.log
    history = volume.read(HISTORY).to_pylist()
    kept = [all(week[name] == value for name, value in recorded.items()) for week in history]
    assert kept == [True] * 2 + [False] * 9
    # The page shows the old weeks as the history has them.
    assert ">0.250<" in volume.path(RUN_PAGE, as_of).read_text()
    # The fingerprint has the same files: the warehouse from the oldest recomputed week on.
    inputs = volume.read_json(run_record(METRICS), as_of)["fingerprint"]["inputs"]
    assert [day for day in days if str(PREDICTIONS.relative_path(day)) in inputs] == days[2:]
    n_partitions = sum(name.startswith("warehouse/transactions/") for name in inputs)
    assert n_partitions == 8


def test_the_lead_of_last_weeks_training_is_kept_and_shown(logged: Volume, as_of: date) -> None:
    volume, before = logged, as_of - timedelta(days=7)
    (row,) = volume.read(HISTORY).to_pylist()
    write_history(volume, before, [{**row, "as_of": before, "rule": "age"}, row])
    training = {"as_of": before.isoformat(), "difference": {"mean": 0.0125, "low": 0.01, "high": 0.02}}
    record = volume.read_json(EVALUATION, as_of)
    write_record(volume, EVALUATION, as_of, {**record, "last_retraining": training})

    run_stage(METRICS, volume.root, str(as_of))

    last, this = volume.read(HISTORY).to_pylist()
    assert (last["challenger_lead"], this["challenger_lead"]) == (0.0125, None)
    page = volume.path(RUN_PAGE, as_of).read_text()
    assert "1 of 1 trainings produced a challenger that beat the champion" in page
    assert "+0.0125" in page


def test_a_history_of_an_older_version_gets_the_current_column_names(logged: Volume, as_of: date) -> None:
    volume = logged
    history = volume.read(HISTORY)
    row = {**history.to_pylist()[0], "as_of": as_of - timedelta(days=7), "recall_at_10": 0.5}
    earlier = pa.Table.from_pylist([row], history.schema)
    older = {name: name.replace("_at_10", "_at_k") for name in earlier.column_names}
    pq.write_table(earlier.rename_columns(list(older.values())), volume.path(HISTORY))
    renamed = {name for name, former in older.items() if name != former}
    assert renamed == {"recall_at_10", "ndcg_at_10", "realised_recall_at_10"}

    run_stage(METRICS, volume.root, str(as_of))

    assert volume.read(HISTORY) == pa.concat_tables([earlier, history])


def test_a_second_run_of_a_week_keeps_one_row(logged: Volume, as_of: date) -> None:
    run_stage(METRICS, logged.root, str(as_of))
    assert logged.read(HISTORY).num_rows == 1


def test_a_row_that_another_run_adds_at_the_same_time_is_kept(logged: Volume, as_of: date) -> None:
    volume = logged
    (row,) = volume.read(HISTORY).to_pylist()
    before, begun = as_of - timedelta(days=7), threading.Event()

    def add_row() -> None:
        with volume.lock(HISTORY.name, "busy"), volume.attempt(METRICS, before) as attempt:
            begun.set()
            time.sleep(1)
            rows = [{**row, "as_of": before}, row]
            attempt.write(HISTORY, pa.Table.from_pylist(rows, HISTORY.contract.schema))

    other = threading.Thread(target=add_row)
    other.start()
    begun.wait()
    outcome = run_stage(METRICS, volume.root, str(as_of))
    other.join()

    assert outcome.code == 0, outcome.log
    assert "history/runs.parquet: another run is adding to it; waiting for it to end" in outcome.log
    assert volume.read(HISTORY)["as_of"].to_pylist() == [before, as_of]


def test_a_week_with_a_single_class_has_no_auc(logged: Volume, as_of: date) -> None:
    volume = logged
    record = volume.read_json(EVALUATION, as_of)
    for figures in record["models"].values():
        del figures["roc_auc"], figures["average_precision"]
    write_record(volume, EVALUATION, as_of, record)
    assert run_stage(METRICS, volume.root, str(as_of)).code == 0
    assert volume.read(HISTORY)["roc_auc"].to_pylist() == [None]


def test_a_stage_that_has_not_run_is_one_line_and_changes_no_file(logged: Volume, as_of: date) -> None:
    volume = logged
    volume.path(run_record("create_features"), as_of).unlink()
    before = files_of(volume.root)
    outcome = run_stage(METRICS, volume.root, str(as_of))
    assert outcome.code == 1
    assert "create_features/run.json is missing; run create_features" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_the_time_of_shards_counts_for_their_stage(logged: Volume, as_of: date) -> None:
    volume = logged
    (before,) = volume.read(HISTORY).to_pylist()
    record = volume.read_json(run_record(PREDICT), as_of)
    write_record(volume, run_record(PREDICT), as_of, {**record, "result": {"shards": 2}})
    for name in ("0-of-2", "1-of-2"):
        write_record(volume, run_record(PREDICT, name), as_of, {**record, "wall_seconds": 100.0})

    run_stage(METRICS, volume.root, str(as_of))

    (row,) = volume.read(HISTORY).to_pylist()
    assert row["wall_seconds"] == pytest.approx(before["wall_seconds"] + 200)


def test_a_broken_decision_is_one_line_and_changes_no_file(logged: Volume, as_of: date) -> None:
    volume = logged
    volume.path(DECISION, as_of).write_text("{")
    before = files_of(volume.root)
    outcome = run_stage(METRICS, volume.root, str(as_of))
    assert outcome.code == 1
    assert "not readable as JSON" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_an_mlflow_that_does_not_answer_is_one_line_and_leaves_no_output(
    volume: Volume, as_of: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = files_of(volume.root)
    outcome = run_stage(METRICS, volume.root, str(as_of), "--tracking-uri", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "MLflow at http://127.0.0.1:9" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_an_option_that_does_not_exist_is_a_usage_error(volume: Volume, as_of: date) -> None:
    assert run_stage(METRICS, volume.root, str(as_of), "--k", "3").code == 2
