"""Stage log_pipeline_metrics: reports on the run and keeps its history."""
