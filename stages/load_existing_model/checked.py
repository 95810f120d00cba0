"""The champion's files, read as the stages after this one will read them."""

from pathlib import Path
from typing import Any

from sodai.model.trained_model import load_model


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder whose estimator can be read.

    Raises:
        ModelError: see `load_model`.
    """
    return load_model(folder).manifest
