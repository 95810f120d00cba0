"""The command of detect_data_drift: features and the champion's reference in, the decision out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.model.registry_reader import read_snapshot
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.DRIFT,
    Inputs(
        (catalog.SCORING, catalog.FORECASTS, catalog.QUALITY, catalog.TRANSACTIONS),
        previous=(catalog.PREDICTIONS, catalog.PREDICTION_SUMMARY),
        registry=read_snapshot,
        champion=True,
        trainings=True,
    ),
    # Importing Evidently takes as long as all steps before its report.
    preload="detect_data_drift.report:build_drift_report",
)
def detect_data_drift(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
    force_retrain: Annotated[bool, typer.Option(help="Train again whatever the report finds.")] = False,
    max_age_weeks: Annotated[int, typer.Option(min=1, help="Age at which a champion is replaced.")] = 8,
    seed: options.Seed = 0,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Compare this week with the champion's reference, and decide which branch follows."""
