"""The stage on a real volume: a run, broken inputs, a process that is killed while it writes."""

import json
import shutil
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import (
    CUSTOMERS,
    FORECASTS,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    PUBLISHED_MODEL,
    RECOMMENDATIONS,
    SCORING,
)
from sodai.model.trained_model import load_model
from sodai.volume.volume import Volume
from support.week import N_CUSTOMERS, WeekWithModel, files_of, run_stage, start_stage

STAGE = "generate_predictions"


@pytest.fixture(scope="module")
def published_week(week_with_model: WeekWithModel, tmp_path_factory: pytest.TempPathFactory) -> Volume:
    """Return a volume after a run of the stage with `--k 5`, read-only."""
    root = shutil.copytree(week_with_model.root, tmp_path_factory.mktemp("published") / "volume")
    outcome = run_stage(STAGE, root, str(week_with_model.as_of), "--k", "5")
    assert outcome.code == 0, outcome.log
    return Volume(root)


@pytest.fixture
def published(published_week: Volume, tmp_path: Path) -> Volume:
    """Return a copy of `published_week` that a test may write to."""
    return Volume(shutil.copytree(published_week.root, tmp_path / "volume"))


def test_every_customer_gets_k_products_and_ranks_are_permutations(
    published_week: Volume, as_of: date
) -> None:
    volume = published_week
    predictions = volume.read(PREDICTIONS, as_of).to_pandas()
    assert len(predictions) == volume.read(SCORING, as_of).num_rows
    for _, own in predictions.groupby("customer_id"):
        assert sorted(own["rank"]) == list(range(1, len(own) + 1))
    index = volume.read_json(RECOMMENDATIONS, as_of)
    assert index["week"] == str(as_of)
    assert {len(products) for products in index["customers"].values()} == {5}
    assert set(index["customers"]) == {
        str(row) for row in volume.read(CUSTOMERS, as_of)["customer_id"].to_pylist()
    }
    summary = volume.read_json(PREDICTION_SUMMARY, as_of)
    assert summary["n_customers_with_full_list"] == N_CUSTOMERS
    assert summary["n_selected"] == predictions["selected"].sum()
    # make_raw leaves one customer without a purchase.
    assert summary["n_customers_without_history_listed"] == summary["n_customers_without_history"] == 1


def test_the_probabilities_and_the_missing_pairs_add_up_to_the_forecast(
    published_week: Volume, as_of: date
) -> None:
    volume = published_week
    forecasts = volume.read(FORECASTS, as_of).to_pylist()
    (forecast,) = [each["expected_pairs"] for each in forecasts if each["cutoff"] == as_of]
    missing_share = load_model(volume.path(PUBLISHED_MODEL, as_of)).card["missing_share"]
    probability = volume.read(PREDICTIONS, as_of)["probability"].to_numpy()
    summary = volume.read_json(PREDICTION_SUMMARY, as_of)
    assert 0 < missing_share < 1
    assert probability.sum() == pytest.approx(forecast * (1 - missing_share), abs=1e-6)
    assert summary["expected_pairs"] == pytest.approx(forecast, abs=1e-3)
    assert summary["expected_missing_pairs"] == pytest.approx(forecast * missing_share, abs=1e-3)


def test_twice_the_demand_makes_every_pair_likelier_and_keeps_the_lists(
    published: Volume, as_of: date
) -> None:
    volume = published
    before = volume.read(PREDICTIONS, as_of).to_pandas()
    file = volume.path(FORECASTS, as_of)
    table = pq.read_table(file)
    position = table.column_names.index("expected_pairs")
    doubled = pc.multiply(table["expected_pairs"], 2.0)
    pq.write_table(table.set_column(position, "expected_pairs", doubled), file)

    run_stage(STAGE, volume.root, str(as_of))

    after = volume.read(PREDICTIONS, as_of).to_pandas()
    assert (after["probability"] > before["probability"]).all()
    assert after["rank"].tolist() == before["rank"].tolist()
    assert after["selected"].sum() > before["selected"].sum()


def test_a_period_without_a_forecast_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    file = volume.path(FORECASTS, as_of)
    table = pq.read_table(file)
    pq.write_table(table.filter(pc.not_equal(table["cutoff"], as_of)), file)
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of))

    assert outcome.code == 1
    assert f"found no forecast for {as_of}" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_features_of_another_horizon_are_one_line_and_leave_no_output(volume: Volume, as_of: date) -> None:
    before = files_of(volume.root)
    for options in ((), ("--shards", "2", "--shard", "0")):
        outcome = run_stage(STAGE, volume.root, str(as_of), "--horizon-days", "5", *options)
        assert outcome.code == 1
        assert "made for periods of 7 days, found --horizon-days 5; give" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_model_of_another_horizon_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    card_file = volume.path(PUBLISHED_MODEL, as_of) / "model.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "horizon_days": 5}))
    before = files_of(volume.root)
    outcome = run_stage(STAGE, volume.root, str(as_of))
    assert outcome.code == 1
    assert "trained for periods of 5 days, found --horizon-days 7; rerun evalua" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_candidates_out_of_order_are_one_line_and_leave_no_output(volume: Volume, as_of: date) -> None:
    rows = pq.read_table(volume.path(SCORING, as_of))
    pq.write_table(rows.take(list(range(rows.num_rows))[::-1]), volume.path(SCORING, as_of))
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of))

    assert outcome.code == 1
    assert "does not come after the row before it" in outcome.result["error"]
    assert outcome.result["error"].endswith("run create_features again")
    assert files_of(volume.root) == before


def test_the_row_groups_of_the_candidates_change_nothing(published: Volume, as_of: date) -> None:
    volume = published
    folder = volume.path(PREDICTIONS, as_of).parent
    before = files_of(folder)
    pq.write_table(pq.read_table(volume.path(SCORING, as_of)), volume.path(SCORING, as_of), row_group_size=7)

    run_stage(STAGE, volume.root, str(as_of), "--k", "5")

    assert files_of(folder) == before


def test_a_customer_without_candidates_gets_an_empty_list_and_is_reported(
    volume: Volume, as_of: date
) -> None:
    rows = pq.read_table(volume.path(SCORING, as_of))
    customer_id = rows["customer_id"][0].as_py()
    others = pa.array([other != customer_id for other in rows["customer_id"].to_pylist()])
    pq.write_table(rows.filter(others), volume.path(SCORING, as_of))

    outcome = run_stage(STAGE, volume.root, str(as_of), "--k", "3")

    assert outcome.code == 0, outcome.log
    assert "1 customers have fewer than 3 candidates" in outcome.log
    assert volume.read_json(PREDICTION_SUMMARY, as_of)["short_lists"] == {str(customer_id): 0}
    assert volume.read_json(RECOMMENDATIONS, as_of)["customers"][str(customer_id)] == []


def test_an_empty_table_of_candidates_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    pq.write_table(pq.read_table(volume.path(SCORING, as_of)).slice(0, 0), volume.path(SCORING, as_of))
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of))

    assert outcome.code == 1
    assert "found no candidates, expected at least one customer-product pair" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_model_of_other_features_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    card_file = volume.path(PUBLISHED_MODEL, as_of) / "model.json"
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "features": ["gone", *record["features"][1:]]}))
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of))

    assert outcome.code == 1
    assert "was trained on other features (removed: gone" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_list_length_of_zero_is_a_usage_error(volume: Volume, as_of: date) -> None:
    outcome = run_stage(STAGE, volume.root, str(as_of), "--k", "0")
    assert outcome.code == 2
    assert outcome.result == {}


def test_a_malformed_date_is_one_line(volume: Volume) -> None:
    outcome = run_stage(STAGE, volume.root, "06/01/2025")
    assert outcome.code == 1
    assert "expected a date as YYYY-MM-DD" in outcome.result["error"]


def test_a_kill_in_the_middle_of_writing_leaves_the_published_folder_whole(
    published: Volume, as_of: date
) -> None:
    volume = published
    folder = volume.path(PREDICTIONS, as_of).parent
    before = files_of(folder)
    process = start_stage(STAGE, volume.root, str(as_of), "--k", "3")
    while process.poll() is None and not list(volume.root.glob(".attempts/*/*")):
        time.sleep(0.005)
    process.kill()
    process.communicate()

    after = files_of(folder)
    # The kill may come just after the exchange: the folder is that of one attempt or of the other.
    assert after == before or json.loads(after["recommendations.json"])["k"] == 3
    assert set(after) == {"predictions.parquet", "recommendations.json"}

    again = start_stage(STAGE, volume.root, str(as_of), "--k", "3")
    again.communicate()
    assert again.returncode == 0
    assert volume.read_json(RECOMMENDATIONS, as_of)["k"] == 3
    assert not list((volume.root / ".attempts").iterdir())
