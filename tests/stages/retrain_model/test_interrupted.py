"""The stage as a process that is killed hard in the middle of its search, and run again."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sodai.data.catalog import RETRAIN, STUDIES, TRIALS
from sodai.volume.volume import Volume
from support.champion import SmallWeek, run_stage
from support.week import files_of, start_stage

N_TRIALS = 14
OPTIONS = ("--trials", str(N_TRIALS), "--search-rows", "1000")
# Optuna's journal: a trial that has ended enters it whole, by operation 4 with state 1 (completed) or 2
# (pruned).
ENTERS, ENDED = 4, (1, 2)


@pytest.fixture(scope="module")
def week(featured: SmallWeek) -> SmallWeek:
    return featured


def operations(volume: Volume, week: SmallWeek) -> list[dict[str, Any]]:
    """The whole lines of the only journal, while somebody may be writing the next."""
    text = "".join(file.read_text() for file in volume.path(STUDIES, week.as_of).glob("*.journal"))
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def ends(volume: Volume, week: SmallWeek) -> list[dict[str, Any]]:
    return [line for line in operations(volume, week) if line["op_code"] == ENTERS and line["state"] in ENDED]


def ended(record: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [(trial["state"], trial["value"], trial["params"]) for trial in record["trials"]]


def test_a_search_that_was_killed_goes_on_and_ends_like_one_that_was_not(
    week: SmallWeek, tmp_path: Path
) -> None:
    volume = week.copy(tmp_path / "killed")
    before = files_of(volume.root)
    process = start_stage(RETRAIN, volume.root, str(week.as_of), *OPTIONS)
    while process.poll() is None and len(ends(volume, week)) < 3:
        time.sleep(0.01)
    process.kill()
    process.communicate()

    at_kill = ends(volume, week)
    assert 3 <= len(at_kill) < N_TRIALS
    left = files_of(volume.root)
    assert {name: left[name] for name in left if not name.startswith(("studies/", ".attempts/"))} == before

    resumed = run_stage(RETRAIN, volume.root, week.as_of, *OPTIONS)
    assert resumed.code == 0, resumed.log
    assert ends(volume, week)[: len(at_kill)] == at_kill
    assert len(ends(volume, week)) == N_TRIALS

    calm = week.copy(tmp_path / "calm")
    uninterrupted = run_stage(RETRAIN, calm.root, week.as_of, *OPTIONS)
    assert ended(volume.read_json(TRIALS, week.as_of)) == ended(calm.read_json(TRIALS, week.as_of))
    assert resumed.result == uninterrupted.result
    assert resumed.result["trials"] == N_TRIALS
