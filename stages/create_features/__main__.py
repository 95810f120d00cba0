"""`python -m create_features`."""

from create_features.cli import create_features
from sodai.cli import run_app
from sodai.datasets import FEATURES_STAGE

run_app(create_features, FEATURES_STAGE)
