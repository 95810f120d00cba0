"""Unusable input for the whole pipeline: one line with the reason, and nothing published."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from sodai.data.catalog import RECOMMENDATIONS, RUN_PAGE
from sodai.errors import TRAIN_AGAIN
from sodai.volume.volume import Volume
from support.pipeline_runs import (
    History,
    Run,
    TwoWeeks,
    aliases,
    results_of,
    run_pipeline,
    run_without_airflow,
)
from support.sales_data import FIRST_CUSTOMER

PUBLISHED = ("predictions", "reports", "history", "mlflow", "weeks", "warehouse")


def error_of(run: Run) -> str:
    """Return the error line of a failed run, after checking that only the path of the log follows."""
    line, *rest = run.stderr.splitlines()
    assert run.code == 1
    assert all(other.startswith("run: full log in ") for other in rest)
    assert len(rest) <= 1
    assert "published" not in run.stdout
    return line


@pytest.fixture
def data(history: History, tmp_path: Path) -> Path:
    """A raw folder that a test may damage."""
    return Path(shutil.copytree(history.before, tmp_path / "data"))


def test_a_folder_without_files_is_reported_before_anything_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()

    run = run_pipeline(data, tmp_path / "volume")

    assert error_of(run) == f"run: {data}: no parquet files, expected transactions, customers and products"
    assert run.stdout == ""
    assert results_of(tmp_path / "volume") == {}


def test_a_folder_without_customers_is_reported_and_publishes_nothing(data: Path, tmp_path: Path) -> None:
    (data / "clientes.parquet").unlink()

    run = run_pipeline(data, tmp_path / "volume")

    line = error_of(run)
    assert "extract_and_validate_data: " in line
    assert "found neither of clientes.parquet and customers.parquet, expected one of them" in line
    assert results_of(tmp_path / "volume", *PUBLISHED) == {}


def test_a_truncated_file_is_reported_and_earlier_weeks_stay(
    two_weeks: TwoWeeks, data: Path, tmp_path: Path
) -> None:
    volume = Path(shutil.copytree(two_weeks.root, tmp_path / "volume"))
    before = results_of(volume, *PUBLISHED)
    drop = two_weeks.history.drop
    (data / "transacciones_2024-12-30.parquet").write_bytes(drop.read_bytes()[:-100])

    line = run_without_airflow(data, volume).error

    assert line.startswith("extract_and_validate_data: ")
    assert "transacciones_2024-12-30.parquet" in line
    assert line.endswith("expected whole parquet files; send them again")
    assert results_of(volume, *PUBLISHED) == before


def test_a_champion_of_other_features_is_reported_and_stays(two_weeks: TwoWeeks, tmp_path: Path) -> None:
    volume = Path(shutil.copytree(two_weeks.root, tmp_path / "volume"))
    (card_file,) = volume.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "features": ["moon_phase", *record["features"][1:]]}))
    published = results_of(volume, "predictions", "history")

    # The registry still names the same version: without force the stages would skip and not read it.
    as_of = str(two_weeks.history.next_as_of)
    line = run_without_airflow(two_weeks.history.after, volume, as_of, force=True).error

    assert line.startswith("detect_data_drift: champion: version 1 was trained on other features")
    assert f"removed: moon_phase; added: {record['features'][0]}" in line
    assert line.endswith(TRAIN_AGAIN)
    assert results_of(volume, "predictions", "history") == published
    assert aliases(volume) == {"champion": "1"}


def test_a_single_customer_gets_a_list_of_existing_products(
    history: History, data: Path, tmp_path: Path
) -> None:
    lines = pd.read_parquet(data / "transacciones.parquet")
    own = lines[lines["customer_id"] == FIRST_CUSTOMER]
    own.to_parquet(data / "transacciones.parquet", index=False)
    customers = pd.read_parquet(data / "clientes.parquet")
    customers[customers["customer_id"] == FIRST_CUSTOMER].to_parquet(data / "clientes.parquet", index=False)

    run = run_without_airflow(data, tmp_path / "volume", str(history.as_of))

    assert run.error == ""
    volume, as_of = Volume(tmp_path / "volume"), history.as_of
    lists = volume.read_json(RECOMMENDATIONS, as_of)["customers"]
    listed = [item["product_id"] for item in lists[str(FIRST_CUSTOMER)]]
    assert list(lists) == [str(FIRST_CUSTOMER)]
    assert len(set(listed)) == 10
    assert set(listed) <= set(own["product_id"])
    assert volume.exists(RUN_PAGE, as_of)
