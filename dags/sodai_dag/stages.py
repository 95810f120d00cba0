"""The task ids of the stages, and the branch that one of them chooses."""

from collections.abc import Mapping
from typing import Any

EXTRACT = "extract_and_validate_data"
FEATURES = "create_features"
DETECT = "detect_data_drift"
RETRAIN, LOAD = "retrain_model", "load_existing_model"
EVALUATE = "evaluate_model"
EXPLAIN = "analyze_interpretability"
PREDICT = "generate_predictions"
RECORD = "log_pipeline_metrics"
STAGES = (EXTRACT, FEATURES, DETECT, RETRAIN, LOAD, EVALUATE, EXPLAIN, PREDICT, RECORD)
# The mapped task that scores one shard of the candidates with the image of generate_predictions.
SCORE = "score_candidates"


def branch_of(result: Mapping[str, Any]) -> str:
    """Return the task that detect_data_drift decided for.

    Raises:
        ValueError: the result names no branch of the pipeline.
    """
    branch = result.get("branch")
    if branch not in (RETRAIN, LOAD):
        raise ValueError(f"{DETECT}: found branch {branch!r}, expected {RETRAIN} or {LOAD}")
    return str(branch)
