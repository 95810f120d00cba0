"""The last retraining: its challenger compared with its champion on the period after it."""

import json
from datetime import timedelta

import pytest

from sodai.data.catalog import DECISION, EVALUATE, EVALUATION
from sodai.volume.volume import Volume
from support.champion import SmallWeek, register_second_version, run_stage
from support.week import write_record


def write_last_retraining(volume: Volume, week: SmallWeek, **versions: str) -> None:
    """Write the records of a training in the week before, with a champion and a challenger."""
    before = week.as_of - timedelta(weeks=1)
    write_record(volume, DECISION, before, {"branch": "retrain_model", "rule": "age"})
    write_record(volume, EVALUATION, before, {"versions": versions, "promoted": True})


def test_the_last_retraining_is_evaluated_on_the_period_that_neither_model_has_seen(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    write_last_retraining(volume, week, challenger="2", champion="1")
    assert run_stage(EVALUATE, volume.root, week.as_of).code == 0
    training = volume.read_json(EVALUATION, week.as_of)["last_retraining"]
    assert training["as_of"] == str(week.as_of - timedelta(weeks=1))
    assert (training["rule"], training["promoted"]) == ("age", True)
    # Version 2 is a copy of version 1.
    assert training["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert training["reason"].startswith("the challenger did not beat the champion: NDCG +0.0000")


def test_a_deleted_version_leaves_its_retraining_without_a_difference(
    volume: Volume, week: SmallWeek
) -> None:
    write_last_retraining(volume, week, challenger="9", champion="1")
    outcome = run_stage(EVALUATE, volume.root, week.as_of)
    assert outcome.code == 0, outcome.log
    training = volume.read_json(EVALUATION, week.as_of)["last_retraining"]
    assert training["difference"] is None
    assert "version 9 of sodai_purchase_model" in training["reason"]
    assert "cannot evaluate the retraining of " in outcome.log


def test_a_model_that_has_seen_the_closed_period_since_is_not_evaluated(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    write_last_retraining(volume, week, challenger="2", champion="1")
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "cutoffs": [*record["cutoffs"], str(week.as_of)]}))
    assert run_stage(EVALUATE, volume.root, week.as_of).code == 0
    assert volume.read_json(EVALUATION, week.as_of)["last_retraining"] is None


def test_a_model_for_periods_of_another_length_is_not_evaluated(volume: Volume, week: SmallWeek) -> None:
    register_second_version(volume, week)
    write_last_retraining(volume, week, challenger="2", champion="1")
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "horizon_days": 5}))
    assert run_stage(EVALUATE, volume.root, week.as_of).code == 0
    assert volume.read_json(EVALUATION, week.as_of)["last_retraining"] is None


@pytest.mark.parametrize("versions", [{"champion": "1"}, {"challenger": "1", "champion": "1"}])
def test_a_week_without_two_models_leaves_nothing_to_evaluate(
    volume: Volume, week: SmallWeek, versions: dict[str, str]
) -> None:
    write_last_retraining(volume, week, **versions)
    assert run_stage(EVALUATE, volume.root, week.as_of).code == 0
    assert volume.read_json(EVALUATION, week.as_of)["last_retraining"] is None
