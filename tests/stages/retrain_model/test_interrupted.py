"""The stage as a process that is killed in the middle of its search, and run again."""

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
# In Optuna's journal, operation 4 adds a whole trial, with state 1 (completed) or 2 (pruned).
ADD_TRIAL, ENDED = 4, (1, 2)


@pytest.fixture(scope="module")
def week(featured: SmallWeek) -> SmallWeek:
    return featured


def operations(volume: Volume, week: SmallWeek) -> list[dict[str, Any]]:
    """Return the complete lines of the only journal, while a process may be writing the next."""
    text = "".join(file.read_text() for file in volume.path(STUDIES, week.as_of).glob("*.journal"))
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def ended_trials(volume: Volume, week: SmallWeek) -> list[dict[str, Any]]:
    return [
        line for line in operations(volume, week) if line["op_code"] == ADD_TRIAL and line["state"] in ENDED
    ]


def trials(record: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [(trial["state"], trial["value"], trial["params"]) for trial in record["trials"]]


def test_a_killed_search_resumes_and_ends_like_an_uninterrupted_one(week: SmallWeek, tmp_path: Path) -> None:
    volume = week.copy(tmp_path / "killed")
    before = files_of(volume.root)
    process = start_stage(RETRAIN, volume.root, str(week.as_of), *OPTIONS)
    while process.poll() is None and len(ended_trials(volume, week)) < 3:
        time.sleep(0.01)
    process.kill()
    process.communicate()

    at_kill = ended_trials(volume, week)
    assert 3 <= len(at_kill) < N_TRIALS
    left = files_of(volume.root)
    assert {name: left[name] for name in left if not name.startswith(("studies/", ".attempts/"))} == before

    resumed = run_stage(RETRAIN, volume.root, week.as_of, *OPTIONS)
    assert resumed.code == 0, resumed.log
    assert ended_trials(volume, week)[: len(at_kill)] == at_kill
    assert len(ended_trials(volume, week)) == N_TRIALS

    other = week.copy(tmp_path / "uninterrupted")
    uninterrupted = run_stage(RETRAIN, other.root, week.as_of, *OPTIONS)
    assert trials(volume.read_json(TRIALS, week.as_of)) == trials(other.read_json(TRIALS, week.as_of))
    assert resumed.result == uninterrupted.result
    assert resumed.result["trials"] == N_TRIALS
