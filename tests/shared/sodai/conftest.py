"""The volume from which tests of reading, writing and committing start."""

from pathlib import Path

import pytest

from sodai.volume.volume import Volume
from support.small_stage import publish


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with the first version of the stage `example`."""
    volume = Volume(tmp_path / "volume")
    publish(volume, 1)
    return volume
