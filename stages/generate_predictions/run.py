"""The steps of generate_predictions."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from generate_predictions import core, parts
from generate_predictions.cluster import scores_of_cluster
from generate_predictions.lists import adding_lists, reasons_of
from generate_predictions.parts import Scores, origin_of, write_scores
from sodai.data.catalog import (
    CUSTOMERS,
    EVALUATE,
    PREDICT,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    PUBLISHED_MODEL,
    RECOMMENDATIONS,
    shard_origin,
    shard_scores,
)
from sodai.data.periods import Period
from sodai.data.shard import Shard
from sodai.engines import EngineName
from sodai.engines.session import spark_session
from sodai.evaluation.expected_demand import ExpectedDemand, read_expected_demand
from sodai.model.compatibility import require_features_horizon, require_model_horizon
from sodai.model.trained_model import TrainedModel, load_model
from sodai.runtime.concurrency import prefetch_map
from sodai.volume.attempt import Attempt
from sodai.volume.sorted_tables import sorted_writer
from sodai.volume.transactions import customers_with_history
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
    """Publish the probability of every candidate and the best products of every customer."""
    day, folder = period.as_of, volume.path(PUBLISHED_MODEL, period.as_of)
    require_features_horizon(volume, period)
    model = load_model(folder)
    require_model_horizon(model.card, period, folder, EVALUATE)
    if shard is not None:
        return _score_shard(volume, day, model, Shard(shard, shards))
    expected = read_expected_demand(volume, day, day, model.card["missing_share"])
    header = {
        "week": day.isoformat(),
        "horizon_days": period.horizon_days,
        "k": k,
        "model_version": str(model.card["version"]),
    }
    with volume.attempt(PREDICT, day) as attempt:
        if engine is EngineName.SPARK and spark_remote:
            scores = _scores_of_cluster(volume, attempt, day, spark_remote)
        else:
            scores = _scores(volume, attempt, day, model, shards)
        summary = _publish(volume, attempt, day, scores, expected, header)
    if summary["short_lists"]:
        log.warning("%d customers have fewer than %d candidates", len(summary["short_lists"]), k)
    told = {name: value for name, value in summary.items() if name != "short_lists"}
    # Shards have run records of their own, which log_pipeline_metrics adds up; tasks of a cluster have none.
    pieces = "cluster_tasks" if engine is EngineName.SPARK else "shards"
    return {**header, pieces: len(scores.files), **told}


def _score_shard(volume: Volume, day: date, model: TrainedModel, shard: Shard) -> dict[str, Any]:

    origin = origin_of(volume, day, model)
    with volume.attempt(f"{PREDICT}-{shard.name}", day) as attempt:
        attempt.write_json(shard_origin(shard.name), origin)
        n_candidates = write_scores(attempt.path(shard_scores(shard.name)), volume, day, model, shard)
    return {
        "shard": shard.name,
        "model_version": origin["model_version"],
        "n_candidates": n_candidates,
    }


def _scores(volume: Volume, attempt: Attempt, day: date, model: TrainedModel, n_shards: int) -> Scores:
    """What the shards left, or where there is but one, its scores, made here and now."""
    if n_shards > 1:
        return parts.scored_shards(volume, day, n_shards, parts.origin_of(volume, day, model))
    file = attempt.scratch("scores") / "scores.parquet"
    n_candidates = parts.write_scores(file, volume, day, model, Shard())
    log.info("%d candidates scored with version %s", n_candidates, model.card["version"])
    return parts.Scores([file])


def _scores_of_cluster(volume: Volume, attempt: Attempt, day: date, remote: str) -> Scores:

    with spark_session(remote, volume.root) as session:
        scores = scores_of_cluster(session, volume, day, attempt.scratch("scores"))
    log.info("scored in %d tasks on %s", len(scores.files), remote)
    return scores


def _publish(
    volume: Volume,
    attempt: Attempt,
    day: date,
    scores: Scores,
    expected: ExpectedDemand,
    header: dict[str, Any],
) -> dict[str, Any]:
    """Write what is published of the scores, customer by customer; gives the summary."""
    log_odds = scores.log_odds(attempt.scratch("outlook") / "log_odds")
    outlook = core.Outlook.of(log_odds, expected.candidate_pairs, expected.missing_pairs)
    customers = np.sort(volume.read(CUSTOMERS, day, columns=["customer_id"])["customer_id"].to_numpy())
    tally = core.Tally(customers, customers_with_history(volume, day), header["k"])
    index = attempt.path(RECOMMENDATIONS), customers, reasons_of(volume, day), header
    with (
        sorted_writer(attempt.path(PREDICTIONS), PREDICTIONS.contract) as add_predictions,
        adding_lists(*index) as add_lists,
        ThreadPoolExecutor(1) as beside,
    ):
        of_scores = partial(outlook.predictions, week=day, model_version=header["model_version"])
        for predictions in prefetch_map(of_scores, scores.tables()):
            added = beside.submit(add_predictions, predictions)
            best = core.recommend(predictions, header["k"])
            add_lists(best)
            tally.add(predictions, best)
            added.result()
    summary = tally.summary(outlook.missing_pairs)
    attempt.write_json(PREDICTION_SUMMARY, {"as_of": day, **header, **summary})
    return summary
