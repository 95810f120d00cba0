"""The command of evaluate_model: models and purchases in, metrics, promotion and the published model out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.model.registry_reader import read_snapshot
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.EVALUATE,
    Inputs(
        (
            catalog.DECISION,
            catalog.RETRAINED_MODEL,
            catalog.LOADED_MODEL,
            catalog.TRAINING,
            catalog.FORECASTS,
            catalog.CUSTOMERS,
            catalog.TRANSACTIONS,
        ),
        previous=(catalog.DECISION, catalog.EVALUATION),
        registry=read_snapshot,
        champion=True,
    ),
)
def evaluate_model(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Length of the compared lists.")] = 10,
    seed: options.Seed = 0,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Evaluate on the newest closed period, promote or keep, and choose the week's model."""
