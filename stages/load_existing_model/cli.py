"""The command of load_existing_model: registry in, the champion's model folder out."""

from sodai.data.catalog import LOAD
from sodai.model.registry_reader import read_snapshot
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import DEFAULT_DATA, DEFAULT_HORIZON_DAYS, AsOf, DataRoot, HorizonDays, TrackingUri


@stage_command(
    LOAD,
    Inputs(registry=read_snapshot, champion=True),
    # MLflow and scikit-learn take two seconds each to import.
    preload="load_existing_model.inputs:read_model_card",
)
def load_existing_model(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    tracking_uri: TrackingUri = None,
) -> None:
    """Download the champion and check that it was trained on today's features."""
