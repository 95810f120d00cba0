"""The command line of every stage, and the choice of the branch: plain functions, no Airflow."""

from collections.abc import Mapping
from typing import Any

EXTRACT = "extract_and_validate_data"
DETECT = "detect_data_drift"
RETRAIN, LOAD = "retrain_model", "load_existing_model"
PREDICT = "generate_predictions"

# The period is whatever the first stage found it to be: the date given, or the day after the newest
# purchase. In a template, because it is known only while the pipeline runs.
AS_OF_FOUND = f"{{{{ ti.xcom_pull(task_ids='{EXTRACT}')['as_of'] }}}}"

AS_OF_WANTED = "{{ params.as_of or 'auto' }}"
HORIZON = "{{ params.horizon_days }}"
FORCE = "{{ '--force' if params.force else '--no-force' }}"
FORCE_RETRAIN = "{{ '--force-retrain' if params.force_retrain else '--no-force-retrain' }}"

# The least and the most that a run may ask for, in the words of Airflow's form.
BOUNDS: dict[str, dict[str, Any]] = {
    "horizon_days": {"minimum": 1, "maximum": 28},
    "trials": {"minimum": 1, "maximum": 1000},
    "k": {"minimum": 1, "maximum": 100},
}

_OPTIONS: dict[str, list[str]] = {
    EXTRACT: [],
    "create_features": ["--horizon-days", HORIZON],
    DETECT: ["--horizon-days", HORIZON, FORCE_RETRAIN],
    RETRAIN: ["--horizon-days", HORIZON, "--trials", "{{ params.trials }}"],
    LOAD: ["--horizon-days", HORIZON],
    "evaluate_model": ["--horizon-days", HORIZON, "--k", "{{ params.k }}"],
    "analyze_interpretability": ["--k", "{{ params.k }}"],
    PREDICT: ["--horizon-days", HORIZON, "--k", "{{ params.k }}"],
    "log_pipeline_metrics": [],
}

STAGES = tuple(_OPTIONS)


def stage_arguments(stage: str, shards: int = 1, shard: int | None = None) -> list[str]:
    """The arguments of a stage's CLI, with templates for what a run decides.

    The volume and the MLflow server reach a stage by environment, as they differ between runners.

    Args:
        stage: its name.
        shards: parts that the candidates are scored in, which only generate_predictions asks for.
        shard: the part to score, from 0 on; what all of them scored is joined if left out.
    """
    as_of = AS_OF_WANTED if stage == EXTRACT else AS_OF_FOUND
    parts = ["--shards", str(shards)] if stage == PREDICT and shards > 1 else []
    if shard is not None:
        parts += ["--shard", str(shard)]
    return ["--as-of", as_of, *_OPTIONS[stage], FORCE, *parts]


def rendered_arguments(stage: str, as_of: str, params: Mapping[str, Any]) -> list[str]:
    """The same arguments with the values of one run, for whoever runs stages without Airflow.

    Args:
        stage: task id.
        as_of: first day to predict.
        params: horizon_days, trials, k, force_retrain and force.
    """
    values = {
        AS_OF_WANTED: as_of,
        AS_OF_FOUND: as_of,
        HORIZON: str(params["horizon_days"]),
        FORCE_RETRAIN: "--force-retrain" if params["force_retrain"] else "--no-force-retrain",
        FORCE: "--force" if params["force"] else "--no-force",
        "{{ params.trials }}": str(params["trials"]),
        "{{ params.k }}": str(params["k"]),
    }
    return [values.get(argument, argument) for argument in stage_arguments(stage)]


def branch_of(result: Mapping[str, Any]) -> str:
    """The task that detect_data_drift decided for.

    Raises:
        ValueError: the result names no branch of the pipeline.
    """
    branch = result.get("branch")
    if branch not in (RETRAIN, LOAD):
        raise ValueError(f"{DETECT}: found branch {branch!r}, expected {RETRAIN} or {LOAD}")
    return str(branch)
