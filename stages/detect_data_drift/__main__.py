"""`python -m detect_data_drift`."""

from detect_data_drift.cli import detect_data_drift
from sodai.cli import run_app
from sodai.datasets import DRIFT

run_app(detect_data_drift, DRIFT)
