"""Volumes on which the tests of several stages start."""

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sodai.volume.volume import Volume
from support.week import WeekWithModel, build_week_with_model

# It imports MLflow, which the tests of most stages do without.
if TYPE_CHECKING:
    from support.champion import SmallWeek


@pytest.fixture(scope="session")
def week_with_model(tmp_path_factory: pytest.TempPathFactory) -> WeekWithModel:
    """Return a small volume up to the published model, read-only."""
    return build_week_with_model(tmp_path_factory.mktemp("week_with_model"))


@pytest.fixture
def volume(week_with_model: WeekWithModel, tmp_path: Path) -> Volume:
    """Return a copy of `week_with_model` that a test may write to."""
    shutil.copytree(week_with_model.root, tmp_path / "volume")
    return Volume(tmp_path / "volume")


@pytest.fixture(scope="session")
def as_of(week_with_model: WeekWithModel) -> date:
    """Return the first day of the period of `week_with_model`."""
    return week_with_model.as_of


@pytest.fixture(scope="session")
def featured(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """Return a week up to the features, read-only."""
    from support.champion import week_with_features

    return week_with_features(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """Return the same week with a challenger, read-only."""
    from support.champion import week_with_challenger

    return week_with_challenger(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> "SmallWeek":
    """Return the same week with a champion, read-only."""
    from support.champion import week_with_champion

    return week_with_champion(tmp_path_factory.getbasetemp())
