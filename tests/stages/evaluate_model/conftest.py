"""A copy of the week with a champion that a test may write to; detect_data_drift can run on it."""

from pathlib import Path

import pytest

from sodai.volume.volume import Volume
from support.champion import SmallWeek
from support.quiet_import import import_evidently

import_evidently()


@pytest.fixture
def volume(week: SmallWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")
