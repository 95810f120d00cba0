"""What every test of the stage starts from."""

from pathlib import Path

import pytest

from sodai.volume.volume import Volume

from .volumes import loaded, raw_volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume on which the history is loaded."""
    volume = raw_volume(tmp_path)
    loaded(volume)
    return volume
