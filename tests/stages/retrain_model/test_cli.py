"""The stage on synthetic data: its training rows, its outputs on the volume, and its refusals."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import average_precision_score

from retrain_model.core_search import N_FINALISTS, slow_down
from sodai.data.catalog import REFERENCE, RETRAIN, RETRAINED_MODEL, SCORING, STUDIES, TRAINING, TRIALS
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.trained_model import features_frame, load_model
from sodai.volume.file_hashes import sha256_of
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume
from support.champion import N_CUSTOMERS, SMALL_SEARCH, SmallWeek, run_stage, week_with_features
from support.week import files_of, write_training

ROOT = Path(__file__).parents[3]


@pytest.fixture
def volume(featured: SmallWeek, tmp_path: Path) -> Volume:
    return featured.copy(tmp_path / "volume")


def trees_of(volume: Volume, week: SmallWeek) -> dict[str, str]:
    """Return LightGBM's text form of each member with trees."""
    blend = load_model(volume.path(RETRAINED_MODEL, week.as_of)).blend
    return {name: each.booster_.model_to_string() for name, each in blend.estimators_.items()}


def decayed_frequency(volume: Volume, week: SmallWeek) -> pd.Series:
    """Return the score of every pair bought before: the sum of .9 to the power of the age of each week."""
    bought = read_transactions(volume, week.as_of).to_pandas()
    age = (pd.Timestamp(week.as_of) - pd.to_datetime(bought["purchase_date"])).dt.days.sub(1) // 7
    weeks = bought[["customer_id", "product_id"]].assign(age=age).drop_duplicates()
    return weeks.assign(score=0.9 ** weeks["age"]).groupby(["customer_id", "product_id"])["score"].sum()


def test_a_model_of_habits_without_noise_is_better_than_a_frequency(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    week = week_with_features(tmp_path_factory.getbasetemp(), noise=0.0)
    outcome = run_stage(RETRAIN, week.root, week.as_of, *SMALL_SEARCH)
    assert outcome.code == 0, outcome.log
    scoring = week.volume.read(SCORING, week.as_of)
    pairs = scoring.select(["customer_id", "product_id"]).to_pandas()
    keys = list(pairs.itertuples(index=False, name=None))
    due = week.raw.due(week.as_of)
    y = np.array([key in due for key in keys])
    assert due <= set(keys)

    model = load_model(week.volume.path(RETRAINED_MODEL, week.as_of)).log_odds(features_frame(scoring))
    frequency = decayed_frequency(week.volume, week).reindex(pd.MultiIndex.from_tuples(keys)).fillna(0.0)

    def recall(score: np.ndarray) -> float:
        """Return the share of the due pairs in lists as long as the number of the customer's due pairs."""
        table = pairs.assign(due=y, score=score).sort_values("score", ascending=False)
        position = table.groupby("customer_id").cumcount()
        n_due = table.groupby("customer_id")["due"].transform("sum")
        return float((table["due"] & (position < n_due)).sum() / y.sum())

    assert recall(model) > 0.9
    assert recall(model) > recall(frequency.to_numpy()) + 0.1
    assert average_precision_score(y, model) > average_precision_score(y, frequency) + 0.1


def test_it_trains_on_closed_periods_except_the_evaluation_period(trained: SmallWeek) -> None:
    held_out = trained.as_of - timedelta(weeks=1)
    card = load_model(trained.volume.path(RETRAINED_MODEL, trained.as_of)).card
    training = trained.volume.read(TRAINING, trained.as_of)
    cutoffs = sorted(set(training["cutoff"].to_pylist()))
    assert cutoffs[-1] == held_out
    assert card["cutoffs"] == [str(cutoff) for cutoff in cutoffs[:-1]]
    assert card["n_training_rows"] == training.filter(pc.field("cutoff") < held_out).num_rows


def test_the_purchases_of_the_evaluation_period_change_neither_search_nor_model(
    trained: SmallWeek, volume: Volume
) -> None:
    table = volume.read(TRAINING, trained.as_of)
    newest = pc.equal(table["cutoff"], trained.as_of - timedelta(weeks=1))
    turned = pc.if_else(newest, pc.subtract(1, table["target"]), table["target"]).cast(pa.int8())
    write_training(volume, trained.as_of, table.set_column(3, "target", turned))

    outcome = run_stage(RETRAIN, volume.root, trained.as_of, *SMALL_SEARCH)

    assert outcome.code == 0, outcome.log
    assert outcome.result == trained.last_outcome.result
    for dataset in (TRIALS, REFERENCE):
        one, other = (v.path(dataset, trained.as_of).read_bytes() for v in (volume, trained.volume))
        assert one == other
    assert trees_of(volume, trained) == trees_of(trained.volume, trained)
    card, other_card = (
        json.loads((v.path(RETRAINED_MODEL, trained.as_of) / "model.json").read_text())
        for v in (volume, trained.volume)
    )
    differing = {name for name in card if card[name] != other_card[name]}
    assert differing == {"run_id", "training_sha256"}


def test_a_rerun_uses_the_stored_trials_and_registers_the_same_model_again(
    trained: SmallWeek, tmp_path: Path
) -> None:
    volume = trained.copy(tmp_path / "volume")
    ((name, journal),) = files_of(volume.root / "studies").items()

    outcome = run_stage(RETRAIN, volume.root, trained.as_of, *SMALL_SEARCH)

    assert outcome.result == {**trained.last_outcome.result, "version": "2"}
    ((same_name, longer),) = files_of(volume.root / "studies").items()
    assert (same_name, longer[: len(journal)]) == (name, journal)
    # The rerun opened the study, and added no trial.
    assert {json.loads(line)["op_code"] for line in longer[len(journal) :].splitlines()} == {0}
    for dataset in (TRIALS, REFERENCE):
        one, other = (v.path(dataset, trained.as_of).read_bytes() for v in (volume, trained.volume))
        assert one == other
    assert trees_of(volume, trained) == trees_of(trained.volume, trained)


def test_other_code_starts_another_study(trained: SmallWeek, tmp_path: Path) -> None:
    volume, code = trained.copy(tmp_path / "volume"), tmp_path / "code"
    shutil.copytree(ROOT / "stages/retrain_model", code / "retrain_model")
    with (code / "retrain_model/core_search.py").open("a", encoding="utf-8") as file:
        file.write("# another search\n")
    named = ["--as-of", str(trained.as_of), "--data", str(volume.root), *SMALL_SEARCH]
    subprocess.run(
        [sys.executable, "-m", "retrain_model", *named],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(code), str(ROOT / "shared")])},
        check=True,
        capture_output=True,
    )
    (earlier,) = files_of(trained.volume.root / "studies")
    assert len(files_of(volume.root / "studies").keys() - {earlier}) == 1


def test_the_model_card_describes_the_training(trained: SmallWeek) -> None:
    volume = trained.volume
    card = load_model(volume.path(RETRAINED_MODEL, trained.as_of)).card
    assert card["features"] == FEATURE_NAMES
    assert card["training_sha256"] == sha256_of(volume.path(TRAINING, trained.as_of))
    assert (card["as_of"], card["horizon_days"]) == (str(trained.as_of), 7)
    trials = volume.read_json(TRIALS, trained.as_of)
    best = next(trial for trial in trials["trials"] if trial["number"] == trials["best_trial"])
    assert card["params"]["n_estimators"] >= 1
    assert trials["best_value"] == card["average_precision"]
    finalists = trials["finalists"]
    assert best["params"].items() <= finalists[0]["params"].items()
    assert slow_down(finalists[0]["params"]) == card["params"]
    # The best trials of the search are compared on many rows, and the best there gives the parameters.
    completed = sorted(
        (trial for trial in trials["trials"] if trial["state"] == "COMPLETE"),
        key=lambda trial: (-trial["value"], trial["number"]),
    )
    assert {each["number"] for each in finalists} == {trial["number"] for trial in completed[:N_FINALISTS]}
    values = [each["average_precision"] for each in finalists]
    assert values == sorted(values, reverse=True)


def test_the_missing_share_counts_purchases_of_pairs_that_were_no_candidates(trained: SmallWeek) -> None:
    volume = trained.volume
    held_out = trained.as_of - timedelta(weeks=1)
    training = volume.read(TRAINING, trained.as_of).to_pandas()
    trained_on = training[pd.to_datetime(training["cutoff"]) < pd.Timestamp(held_out)]
    bought = read_transactions(volume, held_out, trained_on["cutoff"].min()).to_pandas()
    monday = pd.to_datetime(bought["purchase_date"]).dt.to_period("W").dt.start_time
    n_bought = len(bought.assign(monday=monday).drop_duplicates(["customer_id", "product_id", "monday"]))
    card = load_model(volume.path(RETRAINED_MODEL, trained.as_of)).card
    assert card["missing_share"] == pytest.approx(1 - trained_on["target"].sum() / n_bought)
    assert 0 <= card["missing_share"] < 0.1


def test_a_training_table_of_some_customers_has_the_missing_share_of_their_purchases(
    volume: Volume, featured: SmallWeek
) -> None:
    rows = volume.read(TRAINING, featured.as_of)
    some = pa.array(rows["customer_id"].unique().sort()[::2])
    write_training(volume, featured.as_of, rows.filter(pc.is_in(rows["customer_id"], some)))
    assert run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH).code == 0
    assert 0 <= load_model(volume.path(RETRAINED_MODEL, featured.as_of)).card["missing_share"] < 0.1


def test_the_reference_has_the_newest_training_periods(trained: SmallWeek) -> None:
    reference = trained.volume.read(REFERENCE, trained.as_of).to_pandas()
    card = load_model(trained.volume.path(RETRAINED_MODEL, trained.as_of)).card
    assert sorted(map(str, reference["cutoff"].unique())) == card["cutoffs"][-8:]
    customers = reference[reference["grain"] == "customer"]
    # The last customer never buys.
    assert customers.groupby("cutoff")["customer_id"].nunique().eq(N_CUSTOMERS - 1).all()
    assert not reference.duplicated(["cutoff", "grain", "customer_id", "product_id"]).any()


def test_a_registry_that_does_not_answer_leaves_no_partial_output(
    volume: Volume, featured: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = files_of(volume.root)
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, "--tracking-uri", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert "MLflow at http://127.0.0.1:9: the experiment not available" in outcome.result["error"]
    assert len(outcome.log.strip().splitlines()) == 1
    assert {
        name: content for name, content in files_of(volume.root).items() if not name.startswith("studies/")
    } == before


def test_a_single_training_period_is_refused(volume: Volume, featured: SmallWeek) -> None:
    table = volume.read(TRAINING, featured.as_of)
    newest = table.filter(pc.field("cutoff") >= featured.as_of - timedelta(weeks=2))
    write_training(volume, featured.as_of, newest)
    before = files_of(volume.root)
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH)
    assert outcome.code == 1
    assert "found 1 training periods and none to test on, expected" in outcome.result["error"]
    assert files_of(volume.root) == before


def assert_too_few_purchases(volume: Volume, week: SmallWeek, training: pa.Table) -> None:
    """Check that training rows without a purchase to train on are one line, and nothing changes."""
    write_training(volume, week.as_of, training)
    before = files_of(volume.root)
    outcome = run_stage(RETRAIN, volume.root, week.as_of, *SMALL_SEARCH)
    assert outcome.code == 1
    assert "training periods and none to test on, expected one with bought" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_periods_without_a_purchase_are_refused(volume: Volume, featured: SmallWeek) -> None:
    table = volume.read(TRAINING, featured.as_of)
    nothing = pa.array(np.zeros(table.num_rows, np.int8))
    assert_too_few_purchases(volume, featured, table.set_column(3, "target", nothing))


def test_purchases_in_the_newest_period_only_are_refused(volume: Volume, featured: SmallWeek) -> None:
    table = volume.read(TRAINING, featured.as_of)
    before_newest = pc.less(table["cutoff"], pa.scalar(featured.as_of - timedelta(weeks=2)))
    target = pc.if_else(before_newest, pa.scalar(0, pa.int8()), table["target"])
    assert_too_few_purchases(volume, featured, table.set_column(3, "target", target))


def test_purchases_in_the_oldest_period_only_leave_none_to_test_on(
    volume: Volume, featured: SmallWeek
) -> None:
    table = volume.read(TRAINING, featured.as_of)
    after_oldest = pc.greater(table["cutoff"], pc.min(table["cutoff"]))
    target = pc.if_else(after_oldest, pa.scalar(0, pa.int8()), table["target"])
    assert_too_few_purchases(volume, featured, table.set_column(3, "target", target))


def test_features_of_another_horizon_are_refused(volume: Volume, featured: SmallWeek) -> None:
    before = files_of(volume.root)
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH, "--horizon-days", "5")
    assert outcome.code == 1
    assert "made for periods of 7 days, found --horizon-days 5; give" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_second_search_of_the_period_is_refused_before_it_begins(
    volume: Volume, featured: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.volume.volume._PATIENCE_SECONDS", 0.0)
    with volume.attempt(RETRAIN, featured.as_of):
        outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH)
    assert outcome.code == 1
    assert f"another run of retrain_model for {featured.as_of} is under way" in outcome.result["error"]
    assert not volume.path(STUDIES, featured.as_of).exists()


def test_without_a_training_table_it_names_the_stage_to_run(volume: Volume, featured: SmallWeek) -> None:
    shutil.rmtree(volume.path(TRAINING, featured.as_of))
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH)
    assert outcome.code == 1
    assert "run create_features for this period first" in outcome.result["error"]


@pytest.mark.parametrize(
    "option", [("--trials", "0"), ("--folds", "0"), ("--search-rows", "10"), ("--blend-rows", "10")]
)
def test_an_option_out_of_its_bounds_is_a_usage_error(
    featured: SmallWeek, option: tuple[str, str], volume: Volume
) -> None:
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *option)
    assert (outcome.code, outcome.result) == (2, {})
