"""Volumes that the tests of several stages start from."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from made_week import ScoredWeek, make_scored_week
from sodai.volume import Volume


@pytest.fixture(scope="session")
def scored_week(tmp_path_factory: pytest.TempPathFactory) -> ScoredWeek:
    """A small volume up to the published model; not to be written to."""
    return make_scored_week(tmp_path_factory.mktemp("scored_week"))


@pytest.fixture
def volume(scored_week: ScoredWeek, tmp_path: Path) -> Volume:
    """A copy of `scored_week` that a test may write to."""
    shutil.copytree(scored_week.root, tmp_path / "volume")
    return Volume(tmp_path / "volume")


@pytest.fixture
def as_of(scored_week: ScoredWeek) -> date:
    """First day of the period of `scored_week`."""
    return scored_week.as_of
