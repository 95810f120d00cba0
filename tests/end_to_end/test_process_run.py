"""Stages as local processes: two weeks in a row, purchases from the future, hard kills."""

import json
import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import (
    ALL_DATASETS,
    DECISION,
    DRIFT_PAGE,
    DRIFT_TABLE,
    FORECASTS,
    HISTORY,
    LEDGER,
    LOAD,
    LOADED_MODEL,
    PREDICTIONS,
    QUALITY,
    QUARANTINE,
    REASONS,
    RECOMMENDATIONS,
    REFERENCE,
    RETRAIN,
    RETRAINED_MODEL,
    SCORING,
    STAGES,
    TRAINING,
)
from sodai.evaluation.drift_sample import PREDICTION
from sodai.volume.file_hashes import sha256_of
from sodai.volume.volume import Volume
from sodai_dag.settings import ROOT
from support.pipeline_runs import (
    N_CUSTOMERS,
    N_PRODUCTS,
    History,
    TwoWeeks,
    aliases,
    kill_hard,
    kill_stage,
    results_of,
    run_pipeline,
    run_without_airflow,
    stages_of,
    start_pipeline,
    task_states,
    wait_for,
)
from support.sales_data import FIRST_CUSTOMER, FIRST_PRODUCT, disguise_units, write_transactions

AROUND = ["start_pipeline", "join_model_paths", "pipeline_complete"]
PAIR = ["customer_id", "product_id"]
FEATURE_TABLES = (TRAINING, SCORING, FORECASTS)


@pytest.fixture(scope="module")
def volume(two_weeks: TwoWeeks) -> Volume:
    assert two_weeks.first.code == 0, two_weeks.first.stderr
    assert two_weeks.second.code == 0, two_weeks.second.stderr
    return Volume(two_weeks.root)


def bought_pairs(file: Path) -> pd.DataFrame:
    """Return the pairs of a raw file with more than zero units, without duplicates and cancellations."""
    lines = pd.read_parquet(file).drop_duplicates()
    order = ["customer_id", "product_id", "order_id", "purchase_date"]
    net = lines.assign(units=(3 * lines["items"] - 1) / 2).groupby(order)["units"].sum().round(6)
    return net[net > 0].reset_index()[PAIR].drop_duplicates()


def test_the_first_run_trains_because_there_is_no_champion(two_weeks: TwoWeeks, volume: Volume) -> None:
    assert two_weeks.first.tasks == [
        "start_pipeline", *STAGES[:4], "join_model_paths", *STAGES[5:], "pipeline_complete"
    ]  # fmt: skip
    decision = volume.read_json(DECISION, two_weeks.history.as_of)
    assert (decision["branch"], decision["rule"]) == (RETRAIN, "no_champion")
    assert f"week of {two_weeks.history.as_of} published" in two_weeks.first.stdout
    assert "retrain_model (no_champion)" in two_weeks.first.stdout


def test_the_first_run_leaves_every_data_set(two_weeks: TwoWeeks, volume: Volume) -> None:
    as_of = two_weeks.history.as_of
    missing = [
        dataset.name
        for dataset in ALL_DATASETS
        if not any(
            path == str(own) or path.startswith(f"{own}/")
            for own in [dataset.relative_path(as_of)]
            for path in two_weeks.after_first
        )
    ]
    # All synthetic rows are usable, and there was no champion to load.
    assert missing == [QUARANTINE.name, LOADED_MODEL.name]


def test_a_run_records_the_version_of_airflow_of_its_database(two_weeks: TwoWeeks, volume: Volume) -> None:
    (metadata,) = (ROOT / ".venv-airflow").glob("lib/python3*/site-packages/apache_airflow_core-*.dist-info")
    stamp = (two_weeks.root / ".airflow/migrated").read_text()
    assert metadata.name == f"apache_airflow_core-{stamp}.dist-info"


def test_every_customer_has_ten_recommendations_from_the_predictions(
    two_weeks: TwoWeeks, volume: Volume
) -> None:
    as_of = two_weeks.history.as_of
    lists = volume.read_json(RECOMMENDATIONS, as_of)["customers"]

    assert set(lists) == {str(FIRST_CUSTOMER + number) for number in range(N_CUSTOMERS)}
    predictions = volume.read(PREDICTIONS, as_of).to_pandas()
    best = predictions[predictions["rank"] <= 10].sort_values(["customer_id", "rank"])
    assert {customer: [item["product_id"] for item in items] for customer, items in lists.items()} == {
        str(customer): products.tolist() for customer, products in best.groupby("customer_id")["product_id"]
    }
    assert {len(items) for items in lists.values()} == {10}
    assert predictions["model_version"].unique().tolist() == ["1"]


def test_the_model_of_the_first_run_is_the_champion(two_weeks: TwoWeeks, volume: Volume) -> None:
    assert aliases(two_weeks.root) == {"champion": "1"}
    assert "version 1, first version: there was no champion" in two_weeks.first.stdout


def test_the_next_run_reads_only_the_new_file(two_weeks: TwoWeeks, volume: Volume) -> None:
    history = two_weeks.history
    first = json.loads(two_weeks.after_first[str(LEDGER.relative_path(None))])
    second = volume.read_json(LEDGER)

    assert {file["name"]: file["loaded_for"] for file in second["files"]} == {
        "transacciones.parquet": str(history.as_of),
        history.drop.name: str(history.next_as_of),
    }
    assert [file for file in second["files"] if file["name"] == "transacciones.parquet"] == first["files"]
    assert volume.read_json(QUALITY, history.next_as_of)["totals"]["rows"] == len(
        pd.read_parquet(history.before / "transacciones.parquet")
    ) + len(pd.read_parquet(history.drop))
    for table, weeks in first["partitions"].items():
        assert weeks.items() <= second["partitions"][table].items()


def test_the_next_run_follows_the_branch_that_it_recorded(two_weeks: TwoWeeks, volume: Volume) -> None:
    decision = volume.read_json(DECISION, two_weeks.history.next_as_of)
    states = task_states(two_weeks.root)

    other = {RETRAIN: LOAD, LOAD: RETRAIN}[decision["branch"]]
    assert states == {**dict.fromkeys((*AROUND, *STAGES), "success"), other: "skipped"}
    assert decision["champion_version"] == "1"
    drift = volume.read(DRIFT_TABLE, two_weeks.history.next_as_of).to_pandas()
    # The share counts features only; the table also has a row for the champion's predictions.
    features = drift[drift["column"] != PREDICTION]
    assert len(features) == len(drift) - 1
    assert decision["drift_share"] == pytest.approx(features["drifted"].mean())
    assert f"{decision['branch']} ({decision['rule']})" in two_weeks.second.stdout


def test_the_next_run_does_not_change_the_week_before(two_weeks: TwoWeeks, volume: Volume) -> None:
    as_of = two_weeks.history.as_of
    own = (f"weeks/{as_of}", f"predictions/week={as_of}", f"reports/{as_of}", f"studies/{as_of}")

    before = {path: two_weeks.after_first[path] for path in two_weeks.after_first if path.startswith(own)}
    assert results_of(two_weeks.root, *own) == before
    assert len(before) > 20


def test_the_next_run_completes_the_history_of_the_week_before(two_weeks: TwoWeeks, volume: Volume) -> None:
    history = two_weeks.history
    first, second = volume.read(HISTORY).to_pylist()
    predictions = volume.read(PREDICTIONS, history.as_of).to_pandas()
    truth = bought_pairs(history.drop)

    selected = predictions[predictions["selected"]]
    n_hits = len(selected.merge(truth, on=PAIR))
    in_list = predictions[predictions["rank"] <= 10].merge(truth, on=PAIR)
    recalls = in_list.groupby("customer_id").size().div(truth.groupby("customer_id").size()).fillna(0)
    assert (first["as_of"], second["as_of"]) == (history.as_of, history.next_as_of)
    assert first["realised_pairs"] == len(truth)
    assert first["realised_set_f1"] == pytest.approx(2 * n_hits / (len(selected) + len(truth)))
    assert first["realised_recall_at_10"] == pytest.approx(recalls.mean())
    assert second["realised_pairs"] is second["realised_set_f1"] is second["realised_recall_at_10"] is None


def test_the_next_run_has_evidentlys_drift_page(two_weeks: TwoWeeks, volume: Volume) -> None:
    pages = volume.path(DRIFT_PAGE, two_weeks.history.next_as_of).parent
    assert {page.name for page in pages.iterdir()} == {
        "index.html",
        "quality.html",
        "drift.html",
        "shap.html",
    }
    report = (pages / "drift.html").read_text()
    columns = volume.read(DRIFT_TABLE, two_weeks.history.next_as_of)["column"].to_pylist()
    assert [column for column in columns if f"Drift in column '{column}'" not in report] == []
    # Without a champion there is no reference, and the page says so.
    first = two_weeks.after_first[str(DRIFT_PAGE.relative_path(two_weeks.history.as_of))].decode()
    assert "No drift report was made: there is no champion yet" in first


def differences(root: Path, two_weeks: TwoWeeks) -> list[str]:
    """Return the files of the first week, from features to predictions, that differ on the volume `root`.

    The model card has the MLflow run of the model, which is a new one for every training.
    """
    names = [
        dataset.relative_path(two_weeks.history.as_of)
        for dataset in (*FEATURE_TABLES, REFERENCE, DECISION, PREDICTIONS, RECOMMENDATIONS, REASONS)
    ]
    names += [RETRAINED_MODEL.relative_path(two_weeks.history.as_of) / "model.skops"]
    card_file = RETRAINED_MODEL.relative_path(two_weeks.history.as_of) / "model.json"
    one, other = (json.loads((volume / card_file).read_text()) for volume in (root, two_weeks.root))
    return [str(name) for name in names if sha256_of(root / name) != sha256_of(two_weeks.root / name)] + [
        f"{card_file}: {key}"
        for key in one.keys() | other.keys()
        if key != "run_id" and one[key] != other[key]
    ]


def test_rows_dated_as_of_and_later_change_no_byte(
    two_weeks: TwoWeeks, volume: Volume, tmp_path: Path
) -> None:
    history = two_weeks.history
    as_of = pd.Timestamp(history.as_of)
    past = pd.read_parquet(history.before / "transacciones.parquet")
    drop = pd.read_parquet(history.drop)
    # Orders that are cancelled later, and a product that was never bought before bought by every customer.
    newest = past[past["purchase_date"] == past["purchase_date"].max()]
    cancelled = newest.assign(purchase_date=as_of, items=disguise_units(-((3 * newest["items"] - 1) / 2)))
    new_purchases = pd.DataFrame(
        {
            "customer_id": range(FIRST_CUSTOMER, FIRST_CUSTOMER + N_CUSTOMERS),
            "product_id": FIRST_PRODUCT + N_PRODUCTS - 1,
            "order_id": range(900_000, 900_000 + N_CUSTOMERS),
            "purchase_date": as_of + timedelta(days=9),
            "items": disguise_units(500),
        }
    )
    data = tmp_path / "data"
    data.mkdir()
    for table in ("clientes", "productos"):
        (data / f"{table}.parquet").write_bytes((history.before / f"{table}.parquet").read_bytes())
    write_transactions(data / "transacciones.parquet", pd.concat([drop, cancelled, past]))
    write_transactions(data / "transacciones_2.parquet", new_purchases)

    run = run_without_airflow(data, tmp_path / "volume", str(history.as_of))

    assert run.error == ""
    rerun = Volume(tmp_path / "volume")
    later = rerun.read_json(QUALITY, history.as_of)["as_of_or_later"]
    assert later["lines"] == len(drop.drop_duplicates()) + len(cancelled) + N_CUSTOMERS
    assert differences(rerun.root, two_weeks) == []


def test_a_run_that_is_killed_while_it_trains_is_completed_by_the_next(
    two_weeks: TwoWeeks, volume: Volume, tmp_path: Path
) -> None:
    history, root = two_weeks.history, tmp_path / "volume"
    killed = start_pipeline(history.before, root)
    try:
        wait_for(f"studies/{history.as_of}/*.journal", root, killed)
    finally:
        kill_hard(killed)

    assert killed.returncode == -9
    assert results_of(root, "predictions", "reports", f"weeks/{history.as_of}/{RETRAIN}").keys() == {
        f"reports/{history.as_of}/{page}" for page in ("quality.html", "drift.html")
    }

    run = run_pipeline(history.before, root)

    assert run.code == 0, run.stderr
    assert set(task_states(root)) == {*AROUND, *STAGES}
    assert aliases(root) == {"champion": "1"}
    assert without_names(results_of(root)) == without_names(two_weeks.after_first)
    assert differences(root, two_weeks) == []
    assert pq.read_table(root / "history/runs.parquet").num_rows == 1


def test_a_stage_that_is_killed_alone_is_retried_and_the_run_succeeds(
    history: History, tmp_path: Path
) -> None:
    root = tmp_path / "volume"
    running = start_pipeline(history.before, root)
    try:
        wait_for(".attempts/create_features-*/*", root, running)
        kill_stage(running)
        stdout, stderr = running.communicate()
    finally:
        kill_hard(running)

    assert (running.returncode, stderr) == (0, "")
    assert re.findall(r"^  create_features +[\d.]+ s(.*)$", stdout, re.MULTILINE) == ["  failed", ""]
    assert f"run: week of {history.as_of} published" in stdout


def test_an_interrupt_ends_the_run_and_its_stage(history: History, tmp_path: Path) -> None:
    root = tmp_path / "volume"
    running = start_pipeline(history.before, root)
    try:
        wait_for(".attempts/extract_and_validate_data-*/*", root, running)
        (stage,) = stages_of(running)
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    finally:
        kill_hard(running)

    assert running.returncode == 130
    assert stderr.startswith("run: interrupted; full log in ")
    with pytest.raises(ProcessLookupError):
        os.kill(stage, 0)


def without_names(files: dict[str, bytes]) -> set[str]:
    """Return the paths of files, for partitions of the warehouse only their folders."""
    return {path.rpartition("/")[0] if path.startswith("warehouse/") else path for path in files}
