"""A period that is evaluated again: what it promoted stays champion, held against whom it replaced."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from evaluate_model import records
from sodai.data.catalog import CHAMPION, DECISION, DRIFT, EVALUATE, EVALUATION, LOAD, PUBLISHED_MODEL
from sodai.model.registry import MODEL_NAME, REPLACED, Registry
from sodai.volume.volume import Volume
from support.champion import SmallWeek, champion_version, delete_run, register_second_version, run_stage
from support.week import files_of, write_record

WORSE = {"slope": -1.0, "intercept": 0.0}


@pytest.fixture
def promoted(volume: Volume, week: SmallWeek) -> Volume:
    """A volume on which the period promoted version 2 in place of version 1."""
    register_second_version(volume, week)
    assert evaluated(volume, week.as_of)["versions"] == {"challenger": "2", "champion": "1"}
    assert champion_version(volume) == "2"
    return volume


def evaluated(volume: Volume, as_of: date, *options: str) -> dict[str, Any]:
    outcome = run_stage(EVALUATE, volume.root, as_of, *options)
    assert outcome.code == 0, outcome.log
    return volume.read_json(EVALUATION, as_of)


def test_it_compares_with_the_version_that_it_replaced_as_the_first_time(
    promoted: Volume, week: SmallWeek
) -> None:
    before, model = promoted.read_json(EVALUATION, week.as_of), promoted.path(PUBLISHED_MODEL, week.as_of)
    files = files_of(model)
    assert before["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}

    assert evaluated(promoted, week.as_of) == before
    assert files_of(model) == files
    assert champion_version(promoted) == "2"


def test_an_end_between_publication_and_promotion_changes_nothing(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_second_version(volume, week)

    def failing(*_: object) -> None:
        raise ZeroDivisionError("in the middle")

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "promote", failing)
        with pytest.raises(ZeroDivisionError, match="in the middle"):
            run_stage(EVALUATE, volume.root, week.as_of)
    before = volume.read_json(EVALUATION, week.as_of)
    assert evaluated(volume, week.as_of) == before
    assert champion_version(volume) == "2"


def test_lists_of_another_length_are_compared_once_more(promoted: Volume, week: SmallWeek) -> None:
    record = evaluated(promoted, week.as_of, "--k", "3")
    assert (record["k"], record["promoted"]) == (3, True)
    assert record["versions"] == {"challenger": "2", "champion": "1"}
    assert record["reason"] == "not worse: NDCG +0.0000 on the closed period"
    assert champion_version(promoted) == "2"


def test_it_stays_champion_where_it_would_not_be_promoted_any_more(promoted: Volume, week: SmallWeek) -> None:
    register_again_as_worse(promoted, week)
    record = evaluated(promoted, week.as_of)
    assert record["reason"].startswith("promoted by an earlier run of this period, and stays; now worse over")
    assert record["difference"]["mean"] < -0.01
    assert (record["promoted"], record["published"]) == (True, {"version": "2", "role": "challenger"})
    assert champion_version(promoted) == "2"


def change_stored_model_card(volume: Volume, **changes: str) -> None:
    """Change what MLflow keeps of the run that both versions are of."""
    (card_file,) = volume.root.glob("mlflow/artifacts/*/artifacts/pipeline/model.json")
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), **changes}))


def register_again_as_worse(volume: Volume, week: SmallWeek) -> None:
    """Turn the period's own model round, where it lies for the next run of evaluate_model."""
    (folder,) = volume.root.glob(f"weeks/{week.as_of}/retrain_model/model")
    card_file = folder / "model.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "calibration": WORSE}))


def test_the_first_version_of_all_was_promoted_without_a_champion(volume: Volume, week: SmallWeek) -> None:
    before = volume.read_json(EVALUATION, week.as_of)
    assert before["reason"] == "first version: there was no champion"
    assert evaluated(volume, week.as_of) == before


def test_who_was_replaced_and_deleted_since_cannot_be_compared_with(
    promoted: Volume, week: SmallWeek
) -> None:
    Registry(promoted).client.delete_model_version(MODEL_NAME, "1")
    record = evaluated(promoted, week.as_of)
    assert record["reason"].startswith("the champion cannot be used any more: MLflow at ")
    assert (record["promoted"], record["versions"]) == (True, {"challenger": "2"})
    assert champion_version(promoted) == "2"


def test_a_champion_that_was_moved_by_hand_was_made_before(volume: Volume, week: SmallWeek) -> None:
    register_second_version(volume, week)
    change_stored_model_card(volume, version="2")
    Registry(volume).client.set_registered_model_alias(MODEL_NAME, CHAMPION, "2")
    assert evaluated(volume, week.as_of)["reason"] == "already champion: this run was made before"


def test_a_champion_whose_run_was_deleted_gives_way_to_the_challenger(
    volume: Volume, week: SmallWeek
) -> None:
    register_second_version(volume, week)
    delete_run(volume, "1")
    record = evaluated(volume, week.as_of)
    assert "version 1 of sodai_purchase_model has no model.json any more" in record["reason"]
    assert champion_version(volume) == "2"


def test_a_champion_that_its_own_period_loads_is_still_told_as_its_challenger(
    promoted: Volume, week: SmallWeek
) -> None:
    """After a late file no rule asks for training: the champion of this very period is as new as can be."""
    change_stored_model_card(promoted, version="2")
    outcome = run_stage(DRIFT, promoted.root, week.as_of)
    assert (outcome.code, outcome.result["branch"]) == (0, LOAD)
    assert run_stage(LOAD, promoted.root, week.as_of).code == 0
    record = evaluated(promoted, week.as_of)
    assert record["versions"] == {"challenger": "2", "champion": "1"}
    assert (set(record["models"]), record["published"]["role"]) == ({"champion"}, "champion")
    assert record["promoted"] is False


def test_a_champion_that_an_earlier_period_trained_is_told_as_champion(
    promoted: Volume, week: SmallWeek
) -> None:
    change_stored_model_card(promoted, version="2", as_of=str(week.as_of - timedelta(weeks=3)))
    write_record(promoted, DECISION, week.as_of, {"branch": LOAD, "rule": "none"})
    assert run_stage(LOAD, promoted.root, week.as_of).code == 0
    assert evaluated(promoted, week.as_of)["versions"] == {"champion": "2"}


def test_the_stages_before_it_have_nothing_to_do_after_it_ran_again(
    promoted: Volume, week: SmallWeek
) -> None:
    Registry(promoted).client.set_registered_model_alias(MODEL_NAME, CHAMPION, "1")
    assert run_stage(DRIFT, promoted.root, week.as_of, "--force-retrain").code == 0
    for options in ((), ("--k", "3")):
        evaluated(promoted, week.as_of, *options)
        again = run_stage(DRIFT, promoted.root, week.as_of, "--force-retrain", "--no-force")
        assert again.result.get("skipped"), again.log


def test_a_champion_that_another_run_moved_meanwhile_stays(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_second_version(volume, week)
    registry = Registry(volume)
    first = registry.client.get_model_version(MODEL_NAME, "1")
    before = {name: content for name, content in files_of(volume.root).items() if name != ".hashes.json"}
    log_run = records.log_run

    def later_week_ends(*told: Any) -> None:
        registry.client.create_model_version(MODEL_NAME, first.source, first.run_id)
        registry.promote("3")
        log_run(*told)

    monkeypatch.setattr(records, "log_run", later_week_ends)
    outcome = run_stage(EVALUATE, volume.root, week.as_of)

    assert outcome.code == 1
    assert "is version 3, expected 1 as at the start of this run" in outcome.result["error"]
    assert outcome.result["error"].endswith("run the stage again")
    assert champion_version(volume) == "3"
    assert REPLACED not in registry.client.get_model_version(MODEL_NAME, "2").tags
    after = {name: content for name, content in files_of(volume.root).items() if name != ".hashes.json"}
    assert after == before
