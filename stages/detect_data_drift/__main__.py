"""`python -m detect_data_drift`."""

from detect_data_drift.cli import detect_data_drift
from sodai.data.catalog import DRIFT
from sodai.stage.command import run_app

run_app(detect_data_drift, DRIFT)
