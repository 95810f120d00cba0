"""A copy of the week with a champion that a test may write to; its drift can be asked again."""

from pathlib import Path

import pytest

from made_champion import MadeWeek
from quiet_import import import_evidently
from sodai.volume import Volume

import_evidently()


@pytest.fixture
def volume(week: MadeWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")
