"""`python -m generate_predictions`."""

from generate_predictions.cli import generate_predictions
from sodai.data.catalog import PREDICT
from sodai.stage.command import run_app

run_app(generate_predictions, PREDICT)
