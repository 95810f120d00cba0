"""`python -m retrain_model`."""

from retrain_model.cli import retrain_model
from sodai.data.catalog import RETRAIN
from sodai.stage.command import run_app

run_app(retrain_model, RETRAIN)
