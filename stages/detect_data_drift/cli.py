"""The command of detect_data_drift: features and the champion's reference in, the decision out."""

from typing import Annotated

import typer

from sodai.data.catalog import (
    DRIFT,
    FORECASTS,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    QUALITY,
    SCORING,
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
    DRIFT,
    Inputs(
        (SCORING, FORECASTS, QUALITY, TRANSACTIONS),
        previous=(PREDICTIONS, PREDICTION_SUMMARY),
        registry=read_snapshot,
        champion=True,
        trainings=True,
    ),
    # Importing Evidently takes as long as all steps before its report.
    preload="detect_data_drift.report:build_drift_report",
)
def detect_data_drift(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    force_retrain: Annotated[bool, typer.Option(help="Train again whatever the report finds.")] = False,
    max_age_weeks: Annotated[int, typer.Option(min=1, help="Age at which a champion is replaced.")] = 8,
    seed: Seed = 0,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare this week with the champion's reference, and decide which branch follows."""
