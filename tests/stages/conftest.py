"""Volumes that the tests of several stages start from."""

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sodai.volume.volume import Volume
from support.week import ScoredWeek, make_scored_week

# MLflow comes with it, which most stages do without.
if TYPE_CHECKING:
    from support.champion import SmallWeek


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


@pytest.fixture(scope="session")
def featured(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """A week up to the features; not to be written to."""
    from support.champion import week_with_features

    return week_with_features(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """The same with a challenger; not to be written to."""
    from support.champion import week_with_challenger

    return week_with_challenger(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """The same with a champion; not to be written to."""
    from support.champion import week_with_champion

    return week_with_champion(tmp_path_factory.getbasetemp())
