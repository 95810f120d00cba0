"""`python -m log_pipeline_metrics`."""

from log_pipeline_metrics.cli import log_pipeline_metrics
from sodai.data.catalog import METRICS
from sodai.stage.command import run_app

run_app(log_pipeline_metrics, METRICS)
