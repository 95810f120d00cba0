"""`python -m extract_and_validate_data`."""

from extract_and_validate_data.cli import extract_and_validate_data
from sodai.cli import run_app
from sodai.datasets import EXTRACT

run_app(extract_and_validate_data, EXTRACT)
