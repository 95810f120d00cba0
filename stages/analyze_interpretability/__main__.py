"""`python -m analyze_interpretability`."""

from analyze_interpretability.cli import analyze_interpretability
from sodai.data.catalog import INTERPRET
from sodai.stage.command import run_app

run_app(analyze_interpretability, INTERPRET)
