"""`python -m generate_predictions`."""

from generate_predictions.cli import generate_predictions
from sodai.cli import run_app
from sodai.datasets import PREDICT

run_app(generate_predictions, PREDICT)
