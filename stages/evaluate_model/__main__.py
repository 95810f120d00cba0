"""`python -m evaluate_model`."""

from evaluate_model.cli import evaluate_model
from sodai.data.catalog import EVALUATE
from sodai.stage.command import run_app

run_app(evaluate_model, EVALUATE)
