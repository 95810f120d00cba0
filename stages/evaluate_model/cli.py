"""The command of evaluate_model: models and purchases in, metrics, promotion and the published model out."""

from typing import Annotated

import typer

from sodai.data.catalog import (
    CUSTOMERS,
    DECISION,
    EVALUATE,
    EVALUATION,
    FORECASTS,
    LOADED_MODEL,
    RETRAINED_MODEL,
    TRAINING,
    TRANSACTIONS,
)
from sodai.model.registry_reader import read_snapshot
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import (
    DEFAULT_DATA,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    Seed,
    TrackingUri,
)


@stage_command(
    EVALUATE,
    Inputs(
        (DECISION, RETRAINED_MODEL, LOADED_MODEL, TRAINING, FORECASTS, CUSTOMERS, TRANSACTIONS),
        previous=(DECISION, EVALUATION),
        registry=read_snapshot,
        champion=True,
    ),
)
def evaluate_model(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Length of the compared lists.")] = 10,
    seed: Seed = 0,
    tracking_uri: TrackingUri = None,
) -> None:
    """Evaluate on the newest closed period, promote or keep, and choose the week's model."""
