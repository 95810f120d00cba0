"""`python -m load_existing_model`."""

from load_existing_model.cli import load_existing_model
from sodai.data.catalog import LOAD
from sodai.stage.command import run_app

run_app(load_existing_model, LOAD)
