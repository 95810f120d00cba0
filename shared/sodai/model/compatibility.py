"""The length of a run's period: that of the features and of the models that it works with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sodai.data.catalog import FEATURES_STAGE, FORECASTS
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.volume.volume import Volume


def require_features_horizon(volume: Volume, period: Period) -> None:
    """See that the features of a period were made for its length.

    Raises:
        InputError: they were made for another one.
        ContractError: the table that tells breaks its contract.
    """
    lengths = set(volume.read(FORECASTS, period.as_of)["horizon_days"].to_pylist())
    if others := lengths - {period.horizon_days}:
        days = min(others)
        raise InputError(
            f"{volume.path(FORECASTS, period.as_of).parent}: made for periods of {days} days, found "
            f"--horizon-days {period.horizon_days}; give --horizon-days {days}, or run {FEATURES_STAGE} again"
        )


def require_model_horizon(card: Mapping[str, Any], period: Period, folder: Path, run: str) -> None:
    """See that a model was trained for the length of a period.

    Args:
        card: of the model in `folder`.
        run: the stage that puts another one there.

    Raises:
        InputError: it was trained for another one.
    """
    if card["horizon_days"] != period.horizon_days:
        raise InputError(
            f"{folder}: trained for periods of {card['horizon_days']} days, found --horizon-days "
            f"{period.horizon_days}; run {run} for this period again"
        )
