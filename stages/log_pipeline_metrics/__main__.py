"""`python -m log_pipeline_metrics`."""

from log_pipeline_metrics.cli import log_pipeline_metrics
from sodai.cli import run_app
from sodai.datasets import METRICS

run_app(log_pipeline_metrics, METRICS)
