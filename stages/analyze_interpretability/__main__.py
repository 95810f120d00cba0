"""`python -m analyze_interpretability`."""

from analyze_interpretability.cli import analyze_interpretability
from sodai.cli import run_app
from sodai.datasets import INTERPRET

run_app(analyze_interpretability, INTERPRET)
