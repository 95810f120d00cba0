"""The steps of generate_predictions: score every candidate, then publish predictions and lists."""

import logging
from datetime import date
from typing import Any

from generate_predictions.outputs import publish
from generate_predictions.score_files import ScoreFiles, read_shards, score_origin, write_scores
from sodai.data.catalog import EVALUATE, PREDICT, PUBLISHED_MODEL, shard_origin, shard_scores
from sodai.data.periods import Period
from sodai.data.shard import Shard
from sodai.engines import EngineName
from sodai.evaluation.expected_demand import read_expected_demand
from sodai.model.compatibility import require_features_horizon, require_model_horizon
from sodai.model.trained_model import TrainedModel, load_model
from sodai.volume.attempt import Attempt
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")


def run(
    volume: Volume,
    period: Period,
    *,
    k: int,
    shards: int,
    shard: int | None,
    engine: EngineName,
    spark_remote: str | None,
) -> dict[str, Any]:
    """Publish the predictions of a period, or write the scores of one shard."""
    day, folder = period.as_of, volume.path(PUBLISHED_MODEL, period.as_of)
    require_features_horizon(volume, period)
    model = load_model(folder)
    require_model_horizon(model.card, period, folder, EVALUATE)
    if shard is not None:
        return _score_shard(volume, day, model, Shard(shard, shards))
    demand = read_expected_demand(volume, day, day, model.card["missing_share"])
    header = {
        "week": day.isoformat(),
        "horizon_days": period.horizon_days,
        "k": k,
        "model_version": str(model.card["version"]),
    }
    with volume.attempt(PREDICT, day) as attempt:
        if engine is EngineName.SPARK and spark_remote:
            scores = _score_on_cluster(volume, attempt, day, spark_remote)
        elif shards > 1:
            scores = read_shards(volume, day, model, shards)
        else:
            scores = _score_all(volume, attempt, day, model)
        summary = publish(volume, attempt, day, scores, demand, header)
    if summary["short_lists"]:
        log.warning("%d customers have fewer than %d candidates", len(summary["short_lists"]), k)
    figures = {name: value for name, value in summary.items() if name != "short_lists"}
    # Shards have run records of their own, which log_pipeline_metrics adds up; tasks of a cluster have none.
    count_name = "cluster_tasks" if engine is EngineName.SPARK else "shards"
    return {**header, count_name: len(scores.files), **figures}


def _score_shard(volume: Volume, day: date, model: TrainedModel, shard: Shard) -> dict[str, Any]:
    origin = score_origin(volume, day, model)
    with volume.attempt(f"{PREDICT}-{shard.name}", day) as attempt:
        attempt.write_json(shard_origin(shard.name), origin)
        n_candidates = write_scores(attempt.path(shard_scores(shard.name)), volume, day, model, shard)
    return {"shard": shard.name, "model_version": origin["model_version"], "n_candidates": n_candidates}


def _score_all(volume: Volume, attempt: Attempt, day: date, model: TrainedModel) -> ScoreFiles:
    file = attempt.scratch("scores") / "scores.parquet"
    n_candidates = write_scores(file, volume, day, model, Shard())
    log.info("scored %d candidates with version %s", n_candidates, model.card["version"])
    return ScoreFiles([file])


def _score_on_cluster(volume: Volume, attempt: Attempt, day: date, remote: str) -> ScoreFiles:
    # Spark's client takes a second to import, which runs without --engine spark save.
    from generate_predictions.cluster import score_on_cluster

    scores = score_on_cluster(remote, volume, day, attempt.scratch("scores"))
    log.info("scored in %d tasks on %s", len(scores.files), remote)
    return scores
