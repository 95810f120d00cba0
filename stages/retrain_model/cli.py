"""The command of retrain_model: training table in, registered challenger out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.model.registry_reader import read_snapshot
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.RETRAIN,
    Inputs((catalog.TRAINING, catalog.FORECASTS, catalog.TRANSACTIONS), registry=read_snapshot),
)
def retrain_model(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
    trials: Annotated[int, typer.Option(min=1, max=1000, help="Optuna trials.")] = 50,
    folds: Annotated[
        int, typer.Option(min=1, max=12, help="Closed periods that each trial is tested on.")
    ] = 3,
    search_rows: Annotated[
        int, typer.Option(min=1000, help="Rows to train a trial on, about; half as many to test it.")
    ] = 40_000,
    final_rows: Annotated[
        int, typer.Option(min=1000, help="Rows to train the best trials on again, about.")
    ] = 250_000,
    fit_rows: Annotated[
        int, typer.Option(min=1000, help="Rows to train the final model on, about.")
    ] = 2_000_000,
    blend_rows: Annotated[
        int, typer.Option(min=1000, help="Rows to train each fold of the blend on, about.")
    ] = 100_000,
    members: Annotated[
        str, typer.Option(help="Members that may be blended, separated by commas.")
    ] = "classifier,ranker,momentum",
    seed: options.Seed = 0,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Search parameters with Optuna, fit, calibrate and register a challenger."""
