"""`python -m evaluate_model`."""

from evaluate_model.cli import evaluate_model
from sodai.cli import run_app
from sodai.datasets import EVALUATE

run_app(evaluate_model, EVALUATE)
