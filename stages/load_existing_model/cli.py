"""The command of load_existing_model: registry in, the champion's model folder out."""

from sodai.data import catalog
from sodai.model.registry_reader import read_snapshot
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.LOAD,
    Inputs(registry=read_snapshot, champion=True),
    # MLflow and scikit-learn take two seconds each to import.
    preload="load_existing_model.inputs:read_model_card",
)
def load_existing_model(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Download the champion and check that it was trained on today's features."""
