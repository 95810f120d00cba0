"""The command of log_pipeline_metrics: results of all stages in, history, page and MLflow run out."""

from sodai.data import catalog
from sodai.model.registry_reader import read_snapshot
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.METRICS,
    Inputs(
        (
            *(catalog.run_record(stage) for stage in catalog.STAGES[:-1]),
            catalog.QUALITY,
            catalog.DECISION,
            catalog.DRIFT_TABLE,
            catalog.TRIALS,
            catalog.EVALUATION,
            catalog.IMPORTANCE,
            catalog.PREDICTION_SUMMARY,
            catalog.PREDICTIONS,
            catalog.RECOMMENDATIONS,
            catalog.CUSTOMERS,
            catalog.PRODUCTS,
            catalog.QUALITY_PAGE,
            catalog.DRIFT_PAGE,
            catalog.SHAP_PAGE,
        ),
        earlier=(catalog.PREDICTIONS, catalog.TRANSACTIONS),
        in_place=(catalog.HISTORY,),
        untracked=(
            catalog.run_record(catalog.PREDICT, "*"),
            *(catalog.skip_record(stage) for stage in catalog.STAGES[:-1]),
        ),
        registry=read_snapshot,
    ),
)
def log_pipeline_metrics(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Report on the run: its page, its row of the history, its run in MLflow."""
