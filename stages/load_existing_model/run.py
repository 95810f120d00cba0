"""The steps of load_existing_model."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load_existing_model.core_champion import age_in_days, usage_warnings
from sodai.data.catalog import CHAMPION, LOAD, LOADED_MODEL
from sodai.data.periods import Period
from sodai.errors import TRAIN_AGAIN, RegistryError
from sodai.model.registry import Registry
from sodai.model.registry_snapshot import MODEL_NAME
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")


def run(
    volume: Volume,
    period: Period,
    *,
    tracking_uri: str | None,
    read_model_card: Callable[[Path], dict[str, Any]],
) -> dict[str, Any]:
    """Download the champion and check that it was trained on today's features."""
    day = period.as_of
    registry = Registry(volume, tracking_uri)
    champion = registry.champion()
    if champion is None:
        raise RegistryError(
            f"MLflow at {registry.uri}: {MODEL_NAME} has no version with the alias {CHAMPION}, "
            f"expected one; {TRAIN_AGAIN}"
        )
    with volume.attempt(LOAD, day) as attempt:
        folder = attempt.scratch("champion")
        registry.download(champion.version, folder)
        card = read_model_card(folder)
        # The model folder of the volume has no drift reference.
        shutil.copytree(folder, attempt.path(LOADED_MODEL), ignore=shutil.ignore_patterns("*.parquet"))
    for warning in usage_warnings(card, day, period.horizon_days):
        log.warning("version %s: %s", champion.version, warning)
    return {"version": champion.version, "age_days": age_in_days(card, day)}
