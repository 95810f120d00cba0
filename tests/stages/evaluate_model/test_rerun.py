"""A period that is evaluated again: its challenger stays champion, compared with the one that it replaced."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from evaluate_model.outputs import log_evaluation
from sodai.data.catalog import CHAMPION, DECISION, DRIFT, EVALUATE, EVALUATION, LOAD, PUBLISHED_MODEL
from sodai.model.registry import MODEL_NAME, REPLACED, Registry
from sodai.volume.volume import Volume
from support.champion import SmallWeek, champion_version, delete_run, register_second_version, run_stage
from support.week import files_of, write_record

WORSE = {"slope": -1.0, "intercept": 0.0}


@pytest.fixture
def promoted(volume: Volume, week: SmallWeek) -> Volume:
    """Return a volume on which the period promoted version 2 in place of version 1."""
    register_second_version(volume, week)
    assert evaluate(volume, week.as_of)["versions"] == {"challenger": "2", "champion": "1"}
    assert champion_version(volume) == "2"
    return volume


def evaluate(volume: Volume, as_of: date, *options: str) -> dict[str, Any]:
    outcome = run_stage(EVALUATE, volume.root, as_of, *options)
    assert outcome.code == 0, outcome.log
    return volume.read_json(EVALUATION, as_of)


def test_a_rerun_compares_with_the_replaced_version_like_the_first_run(
    promoted: Volume, week: SmallWeek
) -> None:
    before, model = promoted.read_json(EVALUATION, week.as_of), promoted.path(PUBLISHED_MODEL, week.as_of)
    files = files_of(model)
    assert before["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}

    assert evaluate(promoted, week.as_of) == before
    assert files_of(model) == files
    assert champion_version(promoted) == "2"


def test_an_interruption_between_commit_and_promotion_changes_nothing(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_second_version(volume, week)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("in the middle")

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "promote", fail)
        with pytest.raises(ZeroDivisionError, match="in the middle"):
            run_stage(EVALUATE, volume.root, week.as_of)
    before = volume.read_json(EVALUATION, week.as_of)
    assert evaluate(volume, week.as_of) == before
    assert champion_version(volume) == "2"


def test_lists_of_another_length_are_compared_again(promoted: Volume, week: SmallWeek) -> None:
    record = evaluate(promoted, week.as_of, "--k", "3")
    assert (record["k"], record["promoted"]) == (3, True)
    assert record["versions"] == {"challenger": "2", "champion": "1"}
    assert record["reason"] == "not worse: NDCG +0.0000 on the closed period"
    assert champion_version(promoted) == "2"


def test_a_promoted_version_stays_champion_even_if_it_is_worse_now(promoted: Volume, week: SmallWeek) -> None:
    reverse_own_model(promoted, week)
    record = evaluate(promoted, week.as_of)
    assert record["reason"].startswith("promoted by an earlier run of this period, and stays; now worse over")
    assert record["difference"]["mean"] < -0.01
    assert (record["promoted"], record["published"]) == (True, {"version": "2", "role": "challenger"})
    assert champion_version(promoted) == "2"


def change_stored_model_card(volume: Volume, **changes: str) -> None:
    """Change the stored model card of the run that both versions belong to."""
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), **changes}))


def reverse_own_model(volume: Volume, week: SmallWeek) -> None:
    """Reverse the order of the scores of the period's own model on the volume."""
    (folder,) = volume.root.glob(f"weeks/{week.as_of}/retrain_model/model")
    card_file = folder / "model.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "calibration": WORSE}))


def test_a_rerun_of_the_first_promotion_changes_nothing(volume: Volume, week: SmallWeek) -> None:
    before = volume.read_json(EVALUATION, week.as_of)
    assert before["reason"] == "first version: there was no champion"
    assert evaluate(volume, week.as_of) == before


def test_a_replaced_version_that_was_deleted_cannot_be_compared_with(
    promoted: Volume, week: SmallWeek
) -> None:
    Registry(promoted).client.delete_model_version(MODEL_NAME, "1")
    record = evaluate(promoted, week.as_of)
    assert record["reason"].startswith("the champion cannot be used any more: MLflow at ")
    assert (record["promoted"], record["versions"]) == (True, {"challenger": "2"})
    assert champion_version(promoted) == "2"


def test_a_challenger_that_was_promoted_by_hand_is_already_champion(volume: Volume, week: SmallWeek) -> None:
    register_second_version(volume, week)
    change_stored_model_card(volume, version="2")
    Registry(volume).client.set_registered_model_alias(MODEL_NAME, CHAMPION, "2")
    assert evaluate(volume, week.as_of)["reason"] == "already champion before this run"


def test_a_champion_whose_run_was_deleted_gives_way_to_the_challenger(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    delete_run(volume, "1")
    record = evaluate(volume, week.as_of)
    assert "version 1 of sodai_purchase_model has no model.json any more" in record["reason"]
    assert champion_version(volume) == "2"


def test_a_champion_that_its_own_period_loads_is_still_recorded_as_its_challenger(
    promoted: Volume, week: SmallWeek
) -> None:
    # After a late file no rule asks for training: the champion of this period is the newest possible.
    change_stored_model_card(promoted, version="2")
    outcome = run_stage(DRIFT, promoted.root, week.as_of)
    assert (outcome.code, outcome.result["branch"]) == (0, LOAD)
    assert run_stage(LOAD, promoted.root, week.as_of).code == 0
    record = evaluate(promoted, week.as_of)
    assert record["versions"] == {"challenger": "2", "champion": "1"}
    assert (set(record["models"]), record["published"]["role"]) == ({"champion"}, "champion")
    assert record["promoted"] is False


def test_a_champion_that_an_earlier_period_trained_is_recorded_as_champion(
    promoted: Volume, week: SmallWeek
) -> None:
    change_stored_model_card(promoted, version="2", as_of=str(week.as_of - timedelta(weeks=3)))
    write_record(promoted, DECISION, week.as_of, {"branch": LOAD, "rule": "none"})
    assert run_stage(LOAD, promoted.root, week.as_of).code == 0
    assert evaluate(promoted, week.as_of)["versions"] == {"champion": "2"}


def test_the_stages_before_it_are_up_to_date_after_a_rerun(promoted: Volume, week: SmallWeek) -> None:
    Registry(promoted).client.set_registered_model_alias(MODEL_NAME, CHAMPION, "1")
    assert run_stage(DRIFT, promoted.root, week.as_of, "--force-retrain").code == 0
    for options in ((), ("--k", "3")):
        evaluate(promoted, week.as_of, *options)
        again = run_stage(DRIFT, promoted.root, week.as_of, "--force-retrain", "--no-force")
        assert again.result.get("skipped"), again.log


def test_a_champion_that_another_run_moved_during_the_comparison_stays(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_second_version(volume, week)
    registry = Registry(volume)
    first = registry.client.get_model_version(MODEL_NAME, "1")
    before = {name: content for name, content in files_of(volume.root).items() if name != ".hashes.json"}

    def promote_another_version(*arguments: Any) -> None:
        registry.client.create_model_version(MODEL_NAME, first.source, first.run_id)
        registry.promote("3")
        log_evaluation(*arguments)

    monkeypatch.setattr("evaluate_model.run.log_evaluation", promote_another_version)
    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 1
    assert "is version 3, expected 1 as at the start of this run" in outcome.result["error"]
    assert outcome.result["error"].endswith("run the stage again")
    assert champion_version(volume) == "3"
    assert REPLACED not in registry.client.get_model_version(MODEL_NAME, "2").tags
    after = {name: content for name, content in files_of(volume.root).items() if name != ".hashes.json"}
    assert after == before
