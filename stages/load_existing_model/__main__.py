"""`python -m load_existing_model`."""

from load_existing_model.cli import load_existing_model
from sodai.cli import run_app
from sodai.datasets import LOAD

run_app(load_existing_model, LOAD)
