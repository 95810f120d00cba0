"""The command of load_existing_model: registry in, the champion's model folder out."""

import logging
import shutil
from typing import Any

from sodai.data.catalog import LOAD, LOADED_MODEL
from sodai.model.registry_reader import read_snapshot
from sodai.runtime.concurrency import run_in_process
from sodai.stage.command import (
    DEFAULT_DATA,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    TrackingUri,
    stage_command,
)
from sodai.stage.inputs import Inputs

log = logging.getLogger("sodai")


@stage_command(LOAD, Inputs(registry=read_snapshot, champion=True))
def load_existing_model(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    tracking_uri: TrackingUri = None,
) -> dict[str, Any]:
    """Fetch the champion, and check that it fits today's features."""
    # MLflow and scikit-learn take two seconds each to import.
    with run_in_process("load_existing_model.checked", "read_model_card") as read_model_card:
        from load_existing_model.core import age_in_days, warnings_for
        from sodai.data.periods import parse_date
        from sodai.errors import TRAIN_AGAIN, RegistryError
        from sodai.model.registry import Registry
        from sodai.model.registry_snapshot import MODEL_NAME
        from sodai.volume.volume import Volume

        volume, day = Volume(data), parse_date(as_of)
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
    for warning in warnings_for(card, day, horizon_days):
        log.warning("version %s: %s", champion.version, warning)
    return {"version": champion.version, "age_days": age_in_days(card, day)}
