"""The champion of a registry, loaded by the stage: its files on the volume, and the one-line refusals."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sodai.data.catalog import LOAD, LOADED_MODEL, PUBLISHED_MODEL, SCORING
from sodai.errors import TRAIN_AGAIN
from sodai.model.trained_model import features_frame, load_model
from sodai.volume.volume import Volume
from support.champion import SmallWeek, run_stage, week_with_challenger, week_with_features
from support.small_model import rename_class_module
from support.week import files_of


@pytest.fixture
def volume(week: SmallWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")


def model_card_in_registry(volume: Volume) -> Path:
    """Return the model card of the only version, as MLflow stores it."""
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    return card_file


def change_model_card(volume: Volume, **changes: object) -> None:
    card_file = model_card_in_registry(volume)
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), **changes}))


def test_the_loaded_champion_scores_like_the_promoted_one(volume: Volume, week: SmallWeek) -> None:
    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    assert (outcome.result["version"], outcome.result["age_days"]) == ("1", 0)
    X = features_frame(volume.read(SCORING, week.as_of))
    loaded, promoted = (
        load_model(volume.path(dataset, week.as_of)) for dataset in (LOADED_MODEL, PUBLISHED_MODEL)
    )
    np.testing.assert_array_equal(loaded.log_odds(X), promoted.log_odds(X))
    assert loaded.card == promoted.card
    assert set(files_of(volume.path(LOADED_MODEL, week.as_of))) == {"model.skops", "model.json"}


def test_a_champion_registered_by_the_code_before_its_class_moved_scores_the_same(
    volume: Volume, week: SmallWeek
) -> None:
    (estimator,) = volume.root.glob("mlflow/artifacts/models/*/artifacts/model.skops")
    rename_class_module(estimator, "sodai.blend")

    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 0, outcome.log
    X = features_frame(volume.read(SCORING, week.as_of))
    loaded, promoted = (
        load_model(volume.path(dataset, week.as_of)) for dataset in (LOADED_MODEL, PUBLISHED_MODEL)
    )
    np.testing.assert_array_equal(loaded.log_odds(X), promoted.log_odds(X))


def test_a_rerun_replaces_the_model_with_the_same_bytes(volume: Volume, week: SmallWeek) -> None:
    run_stage(LOAD, volume.root, week.as_of)
    before = files_of(volume.path(LOADED_MODEL, week.as_of))
    assert run_stage(LOAD, volume.root, week.as_of).code == 0
    assert files_of(volume.path(LOADED_MODEL, week.as_of)) == before


def test_a_later_week_reports_the_age_of_its_champion(volume: Volume, week: SmallWeek) -> None:
    outcome = run_stage(LOAD, volume.root, week.as_of + timedelta(weeks=2))
    assert (outcome.code, outcome.result["age_days"]) == (0, 14)
    assert "WARNING" not in outcome.log


def test_a_backfill_warns_that_the_champion_has_seen_the_period(volume: Volume, week: SmallWeek) -> None:
    earlier = week.as_of - timedelta(weeks=1)
    outcome = run_stage(LOAD, volume.root, earlier)
    assert (outcome.code, outcome.result["age_days"]) == (0, -7)
    assert f"trained for {week.as_of}, later than {earlier}: it has seen this period" in outcome.log


def test_another_horizon_than_the_champion_was_trained_for_is_a_warning(
    volume: Volume, week: SmallWeek
) -> None:
    outcome = run_stage(LOAD, volume.root, week.as_of, "--horizon-days", "5")
    assert outcome.code == 0
    assert "trained for periods of 7 days, used for 5" in outcome.log


@pytest.mark.parametrize(
    "build", [week_with_features, week_with_challenger], ids=["nothing registered", "a challenger"]
)
def test_a_registry_without_a_champion_is_one_line(
    build: Callable[[Path], SmallWeek], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    week = build(tmp_path_factory.getbasetemp())
    volume = week.copy(tmp_path / "volume")
    before = files_of(volume.root)

    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 1
    message = f"sodai_purchase_model has no version with the alias champion, expected one; {TRAIN_AGAIN}"
    assert outcome.result["error"].endswith(message)
    assert files_of(volume.root) == before


def test_a_champion_of_other_features_is_refused_with_the_differences(
    volume: Volume, week: SmallWeek
) -> None:
    features = json.loads(model_card_in_registry(volume).read_text())["features"]
    change_model_card(volume, features=["shoe_size", *features[1:]])
    before = files_of(volume.root)

    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 1
    difference = f"removed: shoe_size; added: {features[0]}"
    assert outcome.result["error"].endswith(f"was trained on other features ({difference}); {TRAIN_AGAIN}")
    assert files_of(volume.root) == before


def test_a_champion_with_its_features_in_another_order_is_refused(volume: Volume, week: SmallWeek) -> None:
    features = json.loads(model_card_in_registry(volume).read_text())["features"]
    change_model_card(volume, features=features[::-1])
    outcome = run_stage(LOAD, volume.root, week.as_of)
    assert outcome.code == 1
    assert "was trained on other features (their order changed)" in outcome.result["error"]


@pytest.mark.parametrize("name", ["model.skops", "model.json"])
def test_a_damaged_file_of_the_champion_is_one_line(volume: Volume, week: SmallWeek, name: str) -> None:
    (file,) = volume.root.glob(f"mlflow/artifacts/**/{name}")
    file.write_bytes(file.read_bytes()[:50])
    before = files_of(volume.root)

    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 1
    assert "not readable as a model" in outcome.result["error"]
    assert files_of(volume.root) == before


@pytest.mark.parametrize("name", ["model.skops", "model.json"])
def test_a_missing_file_of_the_champion_is_one_line(volume: Volume, week: SmallWeek, name: str) -> None:
    (file,) = volume.root.glob(f"mlflow/artifacts/**/{name}")
    file.unlink()
    before = files_of(volume.root)

    outcome = run_stage(LOAD, volume.root, week.as_of)

    assert outcome.code == 1
    assert f"version 1 of sodai_purchase_model has no {name} any more" in outcome.result["error"]
    assert files_of(volume.root) == before
