"""The steps of evaluate_model."""

import logging
import shutil
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from evaluate_model import core_promotion as rules
from evaluate_model.contenders import Contenders, read_contenders
from evaluate_model.core_promotion import Promotion, has_seen
from evaluate_model.inputs import read_evaluation_period
from evaluate_model.measurements import Measurement, measure_baselines, measure_model, measure_retraining
from evaluate_model.outputs import log_evaluation
from sodai.data.catalog import CHALLENGER, CHAMPION, EVALUATE, EVALUATION, PUBLISHED_MODEL
from sodai.data.periods import Period
from sodai.model.compatibility import require_features_horizon
from sodai.model.registry import Registry
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")


def run(volume: Volume, period: Period, *, k: int, seed: int, tracking_uri: str | None) -> dict[str, Any]:
    """Evaluate on the newest closed period, promote or keep, and choose the week's model."""
    require_features_horizon(volume, period)
    registry = Registry(volume, tracking_uri)
    with volume.attempt(EVALUATE, period.as_of) as attempt:
        contenders = read_contenders(volume, registry, period, attempt.scratch("champion"))
        models = contenders.models
        held_out = read_evaluation_period(volume, period)
        measured = {role: measure_model(model, held_out, k) for role, model in models.items()}
        promotion = _decide(period, contenders, measured, held_out.groups, seed)
        role = promotion.role
        published = {"version": models[role].card["version"], "role": role}
        # A model folder of the volume has no drift reference.
        ignore = shutil.ignore_patterns("*.parquet")
        shutil.copytree(contenders.folders[role], attempt.path(PUBLISHED_MODEL), ignore=ignore)
        record = {
            "as_of": period.as_of,
            "evaluated_period": {"as_of": held_out.period.as_of, "horizon_days": period.horizon_days},
            "k": k,
            "models": {name: measurement.metrics for name, measurement in measured.items()},
            "versions": contenders.versions,
            "seen": {name: has_seen(model.card, held_out.period.as_of) for name, model in models.items()},
            "n_customers": held_out.pairs["customer_id"].nunique(),
            "baselines": measure_baselines(held_out, k),
            "calibration": measured[role].calibration,
            "published": published,
            "last_retraining": measure_retraining(
                volume, registry, held_out, attempt.scratch("retrained"), seed
            ),
            **asdict(promotion),
        }
        attempt.write_json(EVALUATION, record)
        log_evaluation(registry, record, attempt.scratch("plots"))
        if promotion.promoted:
            # A run of another period may have moved the alias since the comparison.
            registry.require_champion(contenders.champion)
    if promotion.promoted:
        registry.promote(published["version"])
    log.info("%s: %s", "promoted" if promotion.promoted else "kept", promotion.reason)
    return {
        "published": published,
        "promoted": promotion.promoted,
        "reason": promotion.reason,
        **measured[role].metrics,
    }


def _decide(
    period: Period, contenders: Contenders, measured: dict[str, Measurement], groups: pd.DataFrame, seed: int
) -> Promotion:
    if CHALLENGER not in contenders.models:
        return rules.keep_loaded_champion()
    promotion = _compare(period, contenders, measured, groups, seed)
    return promotion if contenders.replaced is None else rules.keep_promoted(promotion)


def _compare(
    period: Period, contenders: Contenders, measured: dict[str, Measurement], groups: pd.DataFrame, seed: int
) -> Promotion:
    if contenders.rival_error is not None:
        reason = f"the champion cannot be used any more: {contenders.rival_error}"
        return rules.promote_without_comparison(reason)
    if CHAMPION not in contenders.models:
        return rules.promote_without_comparison("first version: there was no champion")
    champion, challenger = contenders.models[CHAMPION].card, contenders.models[CHALLENGER].card
    if champion["version"] == challenger["version"]:
        return rules.promote_without_comparison("already champion before this run")
    if rules.is_backfill(champion, period.as_of):
        return rules.keep_on_backfill(champion, period.as_of)
    if champion["horizon_days"] != period.horizon_days:
        return rules.promote_without_comparison(
            f"the champion was trained for periods of {champion['horizon_days']} days, this one has "
            f"{period.horizon_days}"
        )
    ndcg = measured[CHALLENGER].ndcg
    rng = np.random.default_rng(seed)
    return rules.compare(ndcg, measured[CHAMPION].ndcg, groups.reindex(ndcg.index), rng)
