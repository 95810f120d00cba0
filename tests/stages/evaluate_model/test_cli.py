"""The stage on small volumes: the comparison, the model of the week, and when the alias moves."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from evaluate_model.inputs import read_evaluation_period
from sodai.data.catalog import (
    DECISION,
    EVALUATE,
    EVALUATION,
    FORECASTS,
    LOAD,
    LOADED_MODEL,
    PAIR,
    PUBLISHED_MODEL,
    RETRAINED_MODEL,
    TRAINING,
    Dataset,
)
from sodai.data.periods import Period
from sodai.evaluation.metrics import set_metrics
from sodai.model.registry import MODEL_NAME, Registry
from sodai.model.trained_model import features_frame, load_model
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume
from support.champion import SmallWeek, champion_version, register_second_version, run_stage
from support.week import files_of, write_record, write_training

BASELINES = ("bought_last_week", "bought_3_of_8_weeks", "decayed_frequency")


def stored_model_card(volume: Volume) -> Path:
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    return card_file


def bought(volume: Volume, first: date, end: date) -> pd.DataFrame:
    table = read_transactions(volume, end, first).select(["customer_id", "product_id"])
    return table.to_pandas().drop_duplicates(ignore_index=True)


def test_the_first_version_is_promoted_and_published(trained: SmallWeek, week: SmallWeek) -> None:
    assert champion_version(trained.volume) is None
    assert week.last_outcome.result["promoted"] is True
    assert week.last_outcome.result["reason"] == "first version: there was no champion"
    assert champion_version(week.volume) == "1"
    published = files_of(week.volume.path(PUBLISHED_MODEL, week.as_of))
    assert published == files_of(week.volume.path(RETRAINED_MODEL, week.as_of))
    record = week.volume.read_json(EVALUATION, week.as_of)
    assert record["published"] == {"version": "1", "role": "challenger"}
    assert (record["promoted"], record["versions"]) == (True, {"challenger": "1"})


def test_the_promoted_version_has_no_longer_the_alias_challenger(week: SmallWeek) -> None:
    model = Registry(week.volume).client.get_registered_model(MODEL_NAME)
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "1"}


def test_the_evaluated_period_is_the_newest_closed_one_and_the_model_has_not_seen_it(week: SmallWeek) -> None:
    record = week.volume.read_json(EVALUATION, week.as_of)
    closed = week.as_of - timedelta(weeks=1)
    assert record["evaluated_period"] == {"as_of": str(closed), "horizon_days": 7}
    assert record["seen"] == {"challenger": False}
    card = load_model(week.volume.path(PUBLISHED_MODEL, week.as_of)).card
    assert max(card["cutoffs"]) < str(closed)


def test_the_metrics_are_those_of_the_model_on_that_period(week: SmallWeek) -> None:
    volume, closed = week.volume, week.as_of - timedelta(weeks=1)
    rows = volume.read(TRAINING, week.as_of)
    rows = rows.filter(pc.equal(rows["cutoff"], closed))
    log_odds = load_model(volume.path(PUBLISHED_MODEL, week.as_of)).log_odds(features_frame(rows))
    target = rows["target"].to_numpy()
    truth = bought(volume, closed, week.as_of)
    table = rows.select(["customer_id", "product_id"]).to_pandas().assign(log_odds=log_odds)
    table["position"] = table.groupby("customer_id")["log_odds"].rank(ascending=False, method="first")
    hits = table[table["position"] <= 5].merge(truth).groupby("customer_id").size()
    n_bought = truth.groupby("customer_id").size()

    figures = volume.read_json(EVALUATION, week.as_of)["models"]["challenger"]
    assert figures["roc_auc"] == pytest.approx(roc_auc_score(target, log_odds), abs=1e-6)
    assert figures["recall_at_5"] == pytest.approx(
        hits.reindex(n_bought.index, fill_value=0).div(n_bought).mean(), abs=1e-6
    )
    assert figures["n_bought"] == len(truth)


def test_the_expected_pairs_are_the_forecast_of_that_period(week: SmallWeek) -> None:
    volume, closed = week.volume, week.as_of - timedelta(weeks=1)
    forecasts = volume.read(FORECASTS, week.as_of).to_pylist()
    (forecast,) = [each["expected_pairs"] for each in forecasts if each["cutoff"] == closed]
    record = volume.read_json(EVALUATION, week.as_of)
    assert record["models"]["challenger"]["expected_pairs"] == pytest.approx(forecast, abs=1e-5)
    # The bins of the calibration table contain all candidates: the demand without its missing share.
    card = load_model(volume.path(PUBLISHED_MODEL, week.as_of)).card
    among_candidates = sum(row["n_rows"] * row["mean_probability"] for row in record["calibration"])
    assert among_candidates == pytest.approx(forecast * (1 - card["missing_share"]), rel=1e-4)


def test_the_baselines_are_measured_on_the_same_truth_as_the_model(week: SmallWeek) -> None:
    volume, closed = week.volume, week.as_of - timedelta(weeks=1)
    record = volume.read_json(EVALUATION, week.as_of)
    assert set(record["baselines"]) == set(BASELINES)
    last = bought(volume, closed - timedelta(weeks=1), closed)
    expected = set_metrics(last, bought(volume, closed, week.as_of))
    figures = record["baselines"]["bought_last_week"]
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    for name in BASELINES:
        assert set(figures) == set(record["baselines"][name])
        assert set(figures) <= set(record["models"]["challenger"])
    assert (
        record["models"]["challenger"]["ndcg_at_10"] > record["baselines"]["decayed_frequency"]["ndcg_at_10"]
    )


def test_mlflow_has_the_metrics_of_model_and_baselines_and_the_plot(week: SmallWeek) -> None:
    registry = Registry(week.volume)
    (run,) = registry.client.search_runs([registry.experiment_id], "tags.stage = 'evaluate_model'")
    record = week.volume.read_json(EVALUATION, week.as_of)
    assert run.data.metrics == pytest.approx(
        {
            f"{owner}.{name}": value
            for group in ("models", "baselines")
            for owner, figures in record[group].items()
            for name, value in figures.items()
        }
    )
    assert run.data.params["promoted"] == "True"
    assert [file.path for file in registry.client.list_artifacts(run.info.run_id, "plots")] == [
        "plots/calibration.png"
    ]


def test_a_rerun_changes_neither_champion_nor_metrics_nor_model(volume: Volume, week: SmallWeek) -> None:
    before = volume.read_json(EVALUATION, week.as_of)
    model = files_of(volume.path(PUBLISHED_MODEL, week.as_of))

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert champion_version(volume) == "1"
    assert files_of(volume.path(PUBLISHED_MODEL, week.as_of)) == model
    after = volume.read_json(EVALUATION, week.as_of)
    for name in ("baselines", "calibration", "published", "promoted", "evaluated_period", "k"):
        assert after[name] == before[name]
    assert after["models"]["challenger"] == before["models"]["challenger"]
    third = run_stage(EVALUATE, volume.root, week.as_of)
    assert third.result == outcome.result
    assert volume.read_json(EVALUATION, week.as_of) == after


def test_an_equal_challenger_takes_over(volume: Volume, week: SmallWeek) -> None:
    register_second_version(volume, week)
    outcome = run_stage(EVALUATE, volume.root, week.as_of)
    assert outcome.code == 0, outcome.log
    assert outcome.result["published"] == {"version": "2", "role": "challenger"}
    assert outcome.result["reason"] == "not worse: NDCG +0.0000 on the closed period"
    assert champion_version(volume) == "2"
    record = volume.read_json(EVALUATION, week.as_of)
    assert record["models"]["champion"] == record["models"]["challenger"]
    assert record["versions"] == {"challenger": "2", "champion": "1"}


def test_a_worse_challenger_is_kept_as_challenger_and_the_champion_published(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week, calibration={"slope": -1.0, "intercept": 0.0})
    outcome = run_stage(EVALUATE, volume.root, week.as_of)
    assert outcome.code == 0, outcome.log
    assert outcome.result["published"] == {"version": "1", "role": "champion"}
    assert outcome.result["reason"].startswith("worse overall: NDCG -0.")
    assert champion_version(volume) == "1"
    aliases = Registry(volume).client.get_registered_model(MODEL_NAME).aliases
    assert str(aliases["challenger"]) == "2"
    record = volume.read_json(EVALUATION, week.as_of)
    gap = record["models"]["challenger"]["ndcg_at_10"] - record["models"]["champion"]["ndcg_at_10"]
    assert record["difference"]["mean"] == pytest.approx(gap, abs=2e-6)
    assert json.loads((volume.path(PUBLISHED_MODEL, week.as_of) / "model.json").read_text())["version"] == "1"


def test_a_backfill_publishes_its_own_model_and_never_moves_the_alias(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    card_file = stored_model_card(volume)
    later = str(week.as_of + timedelta(weeks=1))
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "as_of": later}))

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert outcome.result["promoted"] is False
    assert outcome.result["published"] == {"version": "2", "role": "challenger"}
    assert (
        outcome.result["reason"] == f"backfill: the champion was trained for {later}, later than {week.as_of}"
    )
    assert champion_version(volume) == "1"


def test_a_champion_of_other_features_is_replaced_by_the_challenger(volume: Volume, week: SmallWeek) -> None:
    register_second_version(volume, week)
    card_file = stored_model_card(volume)
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "features": record["features"][1:]}))

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert "the champion cannot be used any more" in outcome.result["reason"]
    assert champion_version(volume) == "2"


@pytest.mark.parametrize("name", ["model.skops", "model.json"])
def test_a_champion_whose_files_are_missing_is_replaced_by_the_challenger(
    volume: Volume, week: SmallWeek, name: str
) -> None:
    register_second_version(volume, week)
    (file,) = volume.root.glob(f"mlflow/artifacts/**/{name}")
    file.unlink()

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert f"the champion cannot be used any more: MLflow at {Registry(volume).uri}: " in outcome.log
    assert f"has no {name} any more" in outcome.result["reason"]
    assert champion_version(volume) == "2"


def test_a_loaded_champion_is_published_and_stays_champion(volume: Volume, week: SmallWeek) -> None:
    write_record(volume, DECISION, week.as_of, {"branch": "load_existing_model"})
    assert run_stage(LOAD, volume.root, week.as_of).code == 0

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert outcome.result["promoted"] is False
    assert outcome.result["reason"] == "no challenger: the champion was loaded"
    assert outcome.result["published"] == {"version": "1", "role": "champion"}
    loaded, published = (
        files_of(volume.path(dataset, week.as_of)) for dataset in (LOADED_MODEL, PUBLISHED_MODEL)
    )
    assert loaded == published
    assert champion_version(volume) == "1"


def test_a_champion_that_was_trained_on_the_closed_period_is_reported(
    volume: Volume, week: SmallWeek
) -> None:
    write_record(volume, DECISION, week.as_of, {"branch": "load_existing_model"})
    run_stage(LOAD, volume.root, week.as_of)
    card_file = volume.path(LOADED_MODEL, week.as_of) / "model.json"
    record = json.loads(card_file.read_text())
    # The last of its seven days is in the closed period.
    overlapping = str(week.as_of - timedelta(days=13))
    card_file.write_text(json.dumps({**record, "cutoffs": [*record["cutoffs"], overlapping]}))
    assert run_stage(EVALUATE, volume.root, week.as_of).code == 0
    assert volume.read_json(EVALUATION, week.as_of)["seen"] == {"champion": True}


def test_lists_of_another_length_decide_with_an_option(volume: Volume, week: SmallWeek) -> None:
    outcome = run_stage(EVALUATE, volume.root, week.as_of, "--k", "3")
    assert outcome.code == 0, outcome.log
    assert volume.read_json(EVALUATION, week.as_of)["k"] == 3
    assert {"ndcg_at_3", "ndcg_at_5", "ndcg_at_10"} <= set(outcome.result)


def delete_decision(volume: Volume, week: SmallWeek) -> None:
    volume.path(DECISION, week.as_of).unlink()


def move_model(volume: Volume, week: SmallWeek) -> None:
    volume.path(RETRAINED_MODEL, week.as_of).rename(volume.root / "elsewhere")


def delete_forecasts(volume: Volume, week: SmallWeek) -> None:
    volume.path(FORECASTS, week.as_of).unlink()


def test_with_a_sample_of_the_customers_only_these_are_evaluated(volume: Volume, week: SmallWeek) -> None:
    period = Period(week.as_of, 7)
    full = read_evaluation_period(volume, period)
    rows = volume.read(TRAINING, week.as_of)
    some = pa.array(full.pairs["customer_id"].unique()[::3])
    write_training(volume, week.as_of, rows.filter(pc.is_in(rows["customer_id"], some)))

    sampled = read_evaluation_period(volume, period)

    own = set(some.to_pylist())
    assert len(own) > 3
    for name in ("pairs", "truth", "purchases_before"):
        table = getattr(full, name)
        expected = table[table["customer_id"].isin(own)]
        pd.testing.assert_frame_equal(
            getattr(sampled, name).reset_index(drop=True), expected.reset_index(drop=True)
        )
    # Their share is that of the realised demand of the earlier closed periods.
    cutoffs = sorted(pc.unique(rows["cutoff"]).to_pylist())[:-1]
    n_own, n_all = (
        sum(
            len(
                purchases[
                    purchases["purchase_date"].between(
                        pd.Timestamp(day), pd.Timestamp(day + timedelta(days=6))
                    )
                ][PAIR].drop_duplicates()
            )
            for day in cutoffs
        )
        for purchases in (sampled.purchases_before, full.purchases_before)
    )
    assert sampled.expected_pairs == pytest.approx(full.expected_pairs * n_own / n_all)
    assert 0.1 < n_own / n_all < 0.6


def drop_closed_period(volume: Volume, week: SmallWeek) -> None:
    table = volume.read(TRAINING, week.as_of)
    older = table.filter(pc.less(table["cutoff"], week.as_of - timedelta(weeks=1)))
    write_training(volume, week.as_of, older)


def change_features(volume: Volume, week: SmallWeek) -> None:
    card_file = volume.path(RETRAINED_MODEL, week.as_of) / "model.json"
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "features": record["features"][::-1]}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (delete_decision, "run detect_data_drift for this period first"),
        (move_model, "run retrain_model for this period first"),
        (drop_closed_period, "found no candidates of 2024-04-15, the newest closed period"),
        (delete_forecasts, "forecasts.parquet is missing; run create_features for this period first"),
        (change_features, "was trained on other features (their order changed)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_missing_inputs_are_one_line_and_move_no_alias(
    trained: SmallWeek, tmp_path: Path, damage: Callable[[Volume, SmallWeek], None], message: str
) -> None:
    volume = trained.copy(tmp_path / "volume")
    damage(volume, trained)
    before = files_of(volume.root)

    outcome = run_stage(EVALUATE, volume.root, trained.as_of)

    assert outcome.code == 1
    assert message in outcome.result["error"]
    assert files_of(volume.root) == before
    assert champion_version(volume) is None


def test_features_of_another_horizon_are_one_line(volume: Volume, week: SmallWeek) -> None:
    before = files_of(volume.root)
    outcome = run_stage(EVALUATE, volume.root, week.as_of, "--horizon-days", "5")
    assert outcome.code == 1
    assert "made for periods of 7 days, found --horizon-days 5; give" in outcome.result["error"]
    assert files_of(volume.root) == before


@pytest.mark.parametrize(
    ("branch", "dataset"), [("retrain_model", RETRAINED_MODEL), ("load_existing_model", LOADED_MODEL)]
)
def test_a_model_of_another_horizon_is_one_line_and_not_promoted(
    volume: Volume, week: SmallWeek, branch: str, dataset: Dataset
) -> None:
    assert run_stage(LOAD, volume.root, week.as_of).code == 0
    write_record(volume, DECISION, week.as_of, {"branch": branch})
    card_file = volume.path(dataset, week.as_of) / "model.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "horizon_days": 5, "version": "2"}))
    before = files_of(volume.root)

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 1
    stage = {"retrain_model": "retrain_model", "load_existing_model": "detect_data_drift"}[branch]
    assert f"found --horizon-days 7; rerun {stage} for this period" in outcome.result["error"]
    assert champion_version(volume) == "1"
    assert files_of(volume.root) == before


def test_a_period_without_a_purchase_promotes_nothing_and_has_metrics_of_zero(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    table = volume.read(TRAINING, week.as_of)
    nothing = table.set_column(3, "target", [np.zeros(table.num_rows, np.int8)])
    write_training(volume, week.as_of, nothing)
    ledger_file = volume.root / "warehouse" / "ledger.json"
    ledger = json.loads(ledger_file.read_text())
    del ledger["partitions"]["transactions"][str(week.as_of - timedelta(weeks=1))]
    ledger_file.write_text(json.dumps(ledger))

    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert outcome.result["promoted"] is False
    assert outcome.result["reason"] == "no purchases in the closed period, so there is nothing to compare"
    assert (outcome.result["set_f1"], outcome.result["n_bought"]) == (0.0, 0.0)
    assert champion_version(volume) == "1"
