"""The volume that tests of reading, writing and publication start from."""

from pathlib import Path

import pytest

from sodai.volume.volume import Volume
from support.small_stage import publish


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume on which the stage `made` has published its first version."""
    volume = Volume(tmp_path / "volume")
    publish(volume, 1)
    return volume
