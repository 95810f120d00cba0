"""`python -m retrain_model`."""

from retrain_model.cli import retrain_model
from sodai.cli import run_app
from sodai.datasets import RETRAIN

run_app(retrain_model, RETRAIN)
