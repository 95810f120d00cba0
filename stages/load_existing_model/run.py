"""The steps of load_existing_model."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load_existing_model.core import age_in_days, warnings_for
from sodai.data.catalog import LOAD, LOADED_MODEL
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
    """Fetch the champion, and check that it fits today's features."""
    day = period.as_of
    registry = Registry(volume, tracking_uri)
    champion = registry.champion()
    if champion is None:
        raise RegistryError(
            f"MLflow at {registry.uri}: {MODEL_NAME} has no version with the alias champion, "
            f"expected one; {TRAIN_AGAIN}"
        )
    with volume.attempt(LOAD, day) as attempt:
        fetched = attempt.scratch("champion")
        registry.download(champion.version, fetched)
        card = read_model_card(fetched)
        shutil.copytree(fetched, attempt.path(LOADED_MODEL), ignore=shutil.ignore_patterns("*.parquet"))
    for warning in warnings_for(card, day, period.horizon_days):
        log.warning("version %s: %s", champion.version, warning)
    return {"version": champion.version, "age_days": age_in_days(card, day)}
