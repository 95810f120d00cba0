"""Run the stage: `python -m create_features`."""

from create_features.cli import create_features
from sodai.data.catalog import FEATURES_STAGE
from sodai.stage.command import run_app

run_app(create_features, FEATURES_STAGE)
