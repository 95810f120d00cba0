"""The weekly pipeline: twelve tasks and their order."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, chain

from sodai_dag.parameters import RUN_PARAMETERS
from sodai_dag.settings import TIMEZONE, schedule_from
from sodai_dag.stage_task import shard_tasks, stage_task
from sodai_dag.stages import (
    DETECT,
    EVALUATE,
    EXPLAIN,
    EXTRACT,
    FEATURES,
    LOAD,
    PREDICT,
    RECORD,
    RETRAIN,
    SCORE,
)

DOC = """
Predicts what every shop will buy next week.

New transaction files are checked and loaded, candidate customer-product pairs get their features, and
a drift report decides whether the model is **retrained** or the **champion** is used. The model of the
week is evaluated on the newest closed period, explained, and used to publish the recommendations.

Results: `predictions/week=<as_of>/` and `reports/<as_of>/index.html` on the shared volume.
The last log line of a failed task says what is wrong; earlier results are still there, complete.
"""


def _schedule() -> CronTriggerTimetable | None:
    """Return the schedule of the environment; None for no schedule."""
    cron = schedule_from()
    # No start date and nothing to catch up: the first run is the schedule's next one, never one for the
    # current week before its data are loaded.
    return CronTriggerTimetable(cron, timezone=TIMEZONE, run_immediately=timedelta()) if cron else None


with DAG(
    dag_id="sodai_recommendation_pipeline",
    description="Weekly product recommendations for every shop, with drift-driven retraining",
    doc_md=DOC,
    schedule=_schedule(),
    catchup=False,
    max_active_runs=1,
    tags=["sodai", "recommendations", "weekly"],
    params={
        parameter.name: Param(
            parameter.default,
            title=parameter.title,
            description=parameter.description,
            **parameter.schema,
        )
        for parameter in RUN_PARAMETERS
    },
) as dag:
    start = EmptyOperator(task_id="start_pipeline", doc_md="Marks the start of a run.")
    extract = stage_task(
        EXTRACT,
        "Reads the new files in `raw/`, checks and cleans them, puts unusable rows into quarantine, and "
        "writes `reports/<as_of>/quality.html`.",
    )
    features = stage_task(
        FEATURES,
        "Candidate customer-product pairs with 72 point-in-time features, for past periods and the next one.",
    )
    detect = stage_task(
        DETECT,
        "Evidently: current features against the champion's reference. Decides which branch follows and "
        "writes `reports/<as_of>/drift.html` and the decision record.",
        branches=True,
    )
    retrain = stage_task(
        RETRAIN,
        "Optuna search over rolling-origin folds, final fit, calibration; registers a challenger in MLflow.",
    )
    load = stage_task(LOAD, "Fetches the champion from the MLflow registry.")
    join = EmptyOperator(
        task_id="join_model_paths",
        trigger_rule="none_failed_min_one_success",
        doc_md="Joins the two branches.",
    )
    evaluate = stage_task(
        EVALUATE,
        "Challenger, champion and baselines on the newest closed period; promotes the challenger or keeps "
        "the champion.",
    )
    explain = stage_task(
        EXPLAIN,
        "SHAP: importance over all customers and the reasons for each recommendation, "
        "`reports/<as_of>/shap.html`.",
    )
    # Empty unless SODAI_SHARDS asks for more than one.
    score = shard_tasks(
        SCORE,
        PREDICT,
        "Scores the candidates of one shard, for generate_predictions to join.",
    )
    predict = stage_task(PREDICT, "Scores every candidate and publishes `predictions/week=<as_of>/`.")
    record = stage_task(
        RECORD,
        "Time, memory, drift and metrics of the run to MLflow, to the history, and to "
        "`reports/<as_of>/index.html`.",
    )
    complete = EmptyOperator(task_id="pipeline_complete", doc_md="The week is published.")

    start >> extract >> features >> detect >> [retrain, load] >> join
    chain(join, evaluate, explain, *score, predict, record, complete)
