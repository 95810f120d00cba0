"""The weekly pipeline: twelve tasks and their order."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain

from sodai_arguments import BOUNDS
from sodai_operators import shard_tasks, stage_task
from sodai_schedule import weekly

DOC = """
Predicts what every shop will buy next week.

New transaction files are checked and loaded, candidate customer-product pairs get their features, and
a drift report decides whether the model is **trained again** or the **champion** is used. The week's
model is evaluated on the newest closed period, explained, and used to publish the recommendations.

Results: `predictions/week=<as_of>/` and `reports/<as_of>/index.html` on the shared volume.
A red task says what is wrong in its last log line; what it wrote before is still there, whole.
"""

with DAG(
    dag_id="sodai_recommendation_pipeline",
    description="Weekly product recommendations for every shop, with drift-driven retraining",
    doc_md=DOC,
    schedule=weekly(),
    catchup=False,
    max_active_runs=1,
    tags=["sodai", "recommendations", "weekly"],
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            title="First day to predict",
            description="Nothing dated on it or later is used. Empty: the day after the newest purchase.",
        ),
        "horizon_days": Param(
            7,
            type="integer",
            **BOUNDS["horizon_days"],
            title="Days to predict",
            description="Length of the period.",
        ),
        "trials": Param(
            50,
            type="integer",
            **BOUNDS["trials"],
            title="Optuna trials",
            description="Only used when the model is trained again.",
        ),
        "force_retrain": Param(
            False,
            type="boolean",
            title="Train again in any case",
            description="Whatever the drift report says.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Run even where nothing changed",
            description="Otherwise a stage whose input, settings and code are as before keeps its result.",
        ),
        "k": Param(
            10,
            type="integer",
            **BOUNDS["k"],
            title="Products per customer",
            description="Length of each recommendation list.",
        ),
    },
) as dag:
    start = EmptyOperator(task_id="start_pipeline", doc_md="Where a run begins.")
    extract = stage_task(
        "extract_and_validate_data",
        "Reads the files in `raw/` that the ledger does not know, checks and cleans them, puts what cannot "
        "be used into quarantine, and writes `reports/<as_of>/quality.html`.",
    )
    features = stage_task(
        "create_features",
        "Candidate customer-product pairs with 72 point-in-time features, for past periods and the next one.",
    )
    detect = stage_task(
        "detect_data_drift",
        "Evidently: today's features against the champion's reference. Decides which branch follows and "
        "writes `reports/<as_of>/drift.html` and the decision record.",
        branches=True,
    )
    retrain = stage_task(
        "retrain_model",
        "Optuna search over rolling-origin folds, final fit, calibration; registers a challenger in MLflow.",
    )
    load = stage_task("load_existing_model", "Fetches the champion from the MLflow registry.")
    join = EmptyOperator(
        task_id="join_model_paths",
        trigger_rule="none_failed_min_one_success",
        doc_md="Where the two branches meet.",
    )
    evaluate = stage_task(
        "evaluate_model",
        "Challenger and champion on the newest closed period, beside rules without a model; promotes "
        "the challenger or keeps the champion.",
    )
    explain = stage_task(
        "analyze_interpretability",
        "SHAP: importance over all customers and the reasons behind each recommendation, "
        "`reports/<as_of>/shap.html`.",
    )
    # Empty unless SODAI_SHARDS asks for more than one.
    score = shard_tasks(
        "score_candidates",
        "generate_predictions",
        "Scores the candidates of one part of the customers, for generate_predictions to join.",
    )
    predict = stage_task(
        "generate_predictions", "Scores every candidate and publishes `predictions/week=<as_of>/`."
    )
    record = stage_task(
        "log_pipeline_metrics",
        "Time, memory, drift and metrics of the run to MLflow, to the history, and to "
        "`reports/<as_of>/index.html`.",
    )
    complete = EmptyOperator(task_id="pipeline_complete", doc_md="The week is published.")

    start >> extract >> features >> detect >> [retrain, load] >> join
    chain(join, evaluate, explain, *score, predict, record, complete)
