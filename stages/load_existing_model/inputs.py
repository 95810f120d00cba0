"""The files of the champion, checked like the stages that score with it."""

from pathlib import Path
from typing import Any

from sodai.model.trained_model import load_model


def read_model_card(folder: Path) -> dict[str, Any]:
    """Return the model card of a model folder after loading its estimator.

    Raises:
        ModelError: see `load_model`.
    """
    return load_model(folder).card
