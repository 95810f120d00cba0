"""Run the stage: `python -m extract_and_validate_data`."""

from extract_and_validate_data.cli import extract_and_validate_data
from sodai.data.catalog import EXTRACT
from sodai.stage.command import run_app

run_app(extract_and_validate_data, EXTRACT)
