"""Checks that the features and the model of a run are for the length of its period."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sodai.data.catalog import FEATURES_STAGE, FORECASTS
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.volume.volume import Volume


def require_features_horizon(volume: Volume, period: Period) -> None:
    """Check that the features of a period were computed for its length.

    Raises:
        InputError: they were computed for another length.
        ContractError: FORECASTS, which has the length, breaks its contract.
    """
    lengths = set(volume.read(FORECASTS, period.as_of)["horizon_days"].to_pylist())
    if others := lengths - {period.horizon_days}:
        days = min(others)
        raise InputError(
            f"{volume.path(FORECASTS, period.as_of).parent}: made for periods of {days} days, found "
            f"--horizon-days {period.horizon_days}; give --horizon-days {days}, or rerun {FEATURES_STAGE}"
        )


def require_model_horizon(card: Mapping[str, Any], period: Period, folder: Path, stage: str) -> None:
    """Check that a model was trained for the length of a period.

    Args:
        card: of the model in `folder`.
        period: of this run.
        folder: named in the error.
        stage: the stage that writes `folder`.

    Raises:
        InputError: it was trained for another length.
    """
    if card["horizon_days"] != period.horizon_days:
        raise InputError(
            f"{folder}: trained for periods of {card['horizon_days']} days, found --horizon-days "
            f"{period.horizon_days}; rerun {stage} for this period"
        )
