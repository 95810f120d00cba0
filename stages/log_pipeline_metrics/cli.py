"""The command of log_pipeline_metrics: results of all stages in, history, page and MLflow run out."""

from sodai.data.catalog import (
    CUSTOMERS,
    DECISION,
    DRIFT_PAGE,
    DRIFT_TABLE,
    EVALUATION,
    HISTORY,
    IMPORTANCE,
    METRICS,
    PREDICT,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    PRODUCTS,
    QUALITY,
    QUALITY_PAGE,
    RECOMMENDATIONS,
    SHAP_PAGE,
    STAGES,
    TRANSACTIONS,
    TRIALS,
    run_record,
    skip_record,
)
from sodai.model.registry_reader import read_snapshot
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import DEFAULT_DATA, AsOf, DataRoot, TrackingUri


@stage_command(
    METRICS,
    Inputs(
        (
            *(run_record(stage) for stage in STAGES[:-1]),
            QUALITY,
            DECISION,
            DRIFT_TABLE,
            TRIALS,
            EVALUATION,
            IMPORTANCE,
            PREDICTION_SUMMARY,
            PREDICTIONS,
            RECOMMENDATIONS,
            CUSTOMERS,
            PRODUCTS,
            QUALITY_PAGE,
            DRIFT_PAGE,
            SHAP_PAGE,
        ),
        earlier=(PREDICTIONS, TRANSACTIONS),
        in_place=(HISTORY,),
        untracked=(run_record(PREDICT, "*"), *(skip_record(stage) for stage in STAGES[:-1])),
        registry=read_snapshot,
    ),
)
def log_pipeline_metrics(
    as_of: AsOf, data: DataRoot = DEFAULT_DATA, tracking_uri: TrackingUri = None
) -> None:
    """Report on the run: its page, its row of the history, its run in MLflow."""
