"""The measurement of models and baselines on the evaluation period."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluate_model.core_metrics import (
    baseline_metrics,
    calibration_bins,
    model_metrics,
    ndcg_by_customer,
    rank_candidates,
)
from evaluate_model.core_promotion import describe_difference, has_seen
from evaluate_model.inputs import EvaluationPeriod
from sodai.data.catalog import CHALLENGER, CHAMPION, DECISION, EVALUATION, LIST_LENGTH
from sodai.errors import ModelError, RegistryError
from sodai.evaluation.baselines import baselines
from sodai.evaluation.expected_demand import ExpectedDemand
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, load_model
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

KS = (5, LIST_LENGTH)


@dataclass(frozen=True)
class Measurement:
    """The metrics of a model, its calibration bins, and the NDCG of each customer who bought."""

    metrics: dict[str, float]
    calibration: list[dict[str, float]]
    ndcg: pd.Series


def measure_model(model: TrainedModel, held_out: EvaluationPeriod, k: int) -> Measurement:
    """Measure a model on the evaluation period, with lists of length `k` among others."""
    expected = ExpectedDemand(held_out.expected_pairs, model.card["missing_share"])
    ranked = rank_candidates(held_out.pairs, expected.probabilities(model.log_odds(held_out.X)))
    metrics = model_metrics(ranked, held_out.truth, expected.missing_pairs, _list_lengths(k))
    return Measurement(metrics, calibration_bins(ranked), ndcg_by_customer(ranked, held_out.truth, k))


def measure_baselines(held_out: EvaluationPeriod, k: int) -> dict[str, dict[str, float]]:
    """Return the metrics of every baseline on the evaluation period, by its name."""
    rules = baselines(held_out.purchases_before, held_out.period.as_of)
    return {
        name: baseline_metrics(rule.ranked, rule.selected, held_out.truth, _list_lengths(k))
        for name, rule in rules.items()
    }


def measure_retraining(
    volume: Volume, registry: Registry, held_out: EvaluationPeriod, scratch: Path, seed: int
) -> dict[str, Any] | None:
    """Compare challenger and champion of the run for the evaluation period, which neither was chosen on.

    Returns:
        the record `last_retraining` of EVALUATION; None if that run trained nothing or had no champion, or if
        one of the models has seen the evaluation period since or was trained for periods of another length.
    """
    as_of = held_out.period.as_of
    if not volume.exists(EVALUATION, as_of):
        return None
    evaluation = volume.read_json(EVALUATION, as_of)
    versions = evaluation["versions"]
    if set(versions) != {CHALLENGER, CHAMPION} or versions[CHALLENGER] == versions[CHAMPION]:
        return None
    record = {
        "as_of": as_of,
        "rule": volume.read_json(DECISION, as_of)["rule"],
        "promoted": evaluation["promoted"],
        "versions": versions,
    }
    ndcg = {}
    try:
        for role, version in versions.items():
            registry.download(version, scratch / role)
            model = load_model(scratch / role, f"version {version}")
            if has_seen(model.card, as_of) or model.card["horizon_days"] != held_out.period.horizon_days:
                return None
            ranked = rank_candidates(held_out.pairs, model.log_odds(held_out.X))
            ndcg[role] = ndcg_by_customer(ranked, held_out.truth, LIST_LENGTH)
    except (ModelError, RegistryError) as error:
        # The models of an earlier week must not stop this one.
        log.warning("cannot evaluate the retraining of %s: %s", as_of, error)
        return {**record, "difference": None, "reason": str(error)}
    return {**record, **describe_difference(ndcg[CHALLENGER] - ndcg[CHAMPION], seed)}


def _list_lengths(k: int) -> tuple[int, ...]:
    return tuple(sorted({*KS, k}))
