"""A week with a champion, and a copy of it that a test may write to; its drift can be asked again."""

from pathlib import Path

import pytest

from made_champion import MadeWeek, champion_week
from quiet_import import import_evidently
from sodai.volume import Volume

import_evidently()


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> MadeWeek:
    return champion_week(tmp_path_factory.getbasetemp())


@pytest.fixture
def volume(week: MadeWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")
