"""The champion's files, read as the stages after this one will read them."""

from pathlib import Path
from typing import Any

from sodai.model.trained_model import load_model


def read_model_card(folder: Path) -> dict[str, Any]:
    """The model card of a model folder whose estimator can be read.

    Raises:
        ModelError: see `load_model`.
    """
    return load_model(folder).card
