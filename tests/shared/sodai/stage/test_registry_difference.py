"""The registry of an earlier run, with the promotion that followed it, compared with the registry today."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sodai.model.registry_snapshot import RegistrySnapshot
from sodai.stage.registry_difference import difference_of_registry

AS_OF = date(2024, 7, 8)
# Version 2 was trained by the run of AS_OF, version 1 a week before.
NOW = RegistrySnapshot("1-1000", "1", {"1": "a", "2": "b"}, {"1": "2024-07-01", "2": "2024-07-08"})
THEN = {"identity": "1-1000", "champion": "1", "newest_training": "2024-07-01", "registered": {}}


def evaluation(champion: str | None, promoted: str | None) -> dict[str, Any]:
    """Return the run record of an evaluate_model that saw `champion` and promoted `promoted`, if any."""
    result = {"promoted": promoted is not None, "published": {"version": promoted or champion}}
    return {"registry": {"champion": champion}, "result": result}


def difference(then: dict[str, Any], now: RegistrySnapshot, record: dict[str, Any] | None = None) -> str:
    return difference_of_registry(then, now, AS_OF, record, reads_champion=True, reads_trainings=True)


def test_an_unchanged_registry_has_no_difference() -> None:
    assert difference(THEN, NOW) == ""


def test_what_the_run_of_the_period_registers_and_promotes_itself_is_no_difference() -> None:
    assert difference(THEN, replace(NOW, champion="2"), evaluation("1", "2")) == ""


def test_an_evaluation_that_ran_again_after_its_promotion_is_no_difference() -> None:
    assert difference(THEN, replace(NOW, champion="2"), evaluation("2", "2")) == ""


@pytest.mark.parametrize(
    ("changes", "record", "reason"),
    [
        ({"identity": "1-2000"}, None, "it is another registry"),
        ({"champion": "2"}, None, "the champion was 1, is 2"),
        ({"champion": "2"}, evaluation("1", None), "the champion was 1, is 2"),
        ({"champion": "2"}, evaluation("7", "2"), "the champion was 1, is 2"),
        ({"champion": None}, None, "the champion was 1, is None"),
        (
            {"trained_for": {"3": "2024-07-05"}},
            None,
            "the newest training before it was for 2024-07-01, is for 2024-07-05",
        ),
    ],
)
def test_every_other_change_is_named(
    changes: dict[str, Any], record: dict[str, Any] | None, reason: str
) -> None:
    assert difference(THEN, replace(NOW, **changes), record) == reason


def test_a_version_that_the_run_registered_and_that_is_gone_is_named() -> None:
    then = {**THEN, "registered": {"3": "c"}}
    assert difference(then, NOW) == "the version that it registered is gone"


def test_a_stage_that_reads_neither_champion_nor_trainings_ignores_both() -> None:
    now = replace(NOW, champion="2", trained_for={"3": "2024-07-05"})
    assert difference_of_registry(THEN, now, AS_OF, None, reads_champion=False, reads_trainings=False) == ""
