"""The volume that most tests of the stage start from."""

from pathlib import Path

import pytest

from sodai.volume.volume import Volume

from .volumes import load, raw_volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with HISTORY in its warehouse."""
    volume = raw_volume(tmp_path)
    load(volume)
    return volume
