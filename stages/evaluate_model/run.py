"""The steps of evaluate_model."""

import logging
import shutil
from dataclasses import asdict
from typing import Any

import numpy as np

from evaluate_model import core_promotion as rules
from evaluate_model import records
from evaluate_model.contenders import Contenders, contenders
from evaluate_model.core_promotion import Promotion
from evaluate_model.records import EvaluationPeriod, Figures
from sodai.data.catalog import (
    CHALLENGER,
    CHAMPION,
    EVALUATE,
    EVALUATION,
    PUBLISHED_MODEL,
)
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
        found = contenders(volume, registry, period, attempt.scratch("champion"))
        models = found.models
        closed = records.read_evaluation_period(volume, period)
        figures = {name: records.figures_of(model, closed, k) for name, model in models.items()}
        promotion = _promotion(period, found, figures, closed, seed)
        role = promotion.role
        published = {"version": models[role].card["version"], "role": role}
        shutil.copytree(
            found.folders[role], attempt.path(PUBLISHED_MODEL), ignore=shutil.ignore_patterns("*.parquet")
        )
        record = {
            "as_of": period.as_of,
            "evaluated_period": {"as_of": closed.period.as_of, "horizon_days": period.horizon_days},
            "k": k,
            "models": {name: each.metrics for name, each in figures.items()},
            "versions": found.versions,
            "seen": {name: records.has_seen(model, closed.period) for name, model in models.items()},
            "n_customers": closed.pairs["customer_id"].nunique(),
            "baselines": records.baselines_of(closed, k),
            "calibration": figures[role].calibration,
            "published": published,
            "last_retraining": records.last_retraining(
                volume, registry, closed, attempt.scratch("retrained"), seed
            ),
            **asdict(promotion),
        }
        attempt.write_json(EVALUATION, record)
        records.log_run(registry, record, attempt.scratch("plots"))
        if promotion.promoted:
            # The run of another period may have ended since this one compared.
            registry.require_champion(found.champion)
    if promotion.promoted:
        registry.promote(published["version"])
    log.info("%s: %s", "promoted" if promotion.promoted else "kept", promotion.reason)
    return {
        "published": published,
        "promoted": promotion.promoted,
        "reason": promotion.reason,
        **figures[role].metrics,
    }


def _promotion(
    period: Period,
    found: Contenders,
    figures: dict[str, Figures],
    closed: EvaluationPeriod,
    seed: int,
) -> Promotion:

    if CHALLENGER not in found.models:
        return rules.no_challenger()
    promotion = _compared(period, found, figures, closed, seed)
    return promotion if found.replaced is None else rules.standing(promotion)


def _compared(
    period: Period,
    found: Contenders,
    figures: dict[str, Figures],
    closed: EvaluationPeriod,
    seed: int,
) -> Promotion:

    if found.unfit is not None:
        return rules.without_comparison(f"the champion cannot be used any more: {found.unfit}")
    if CHAMPION not in found.models:
        return rules.without_comparison("first version: there was no champion")
    champion, challenger = found.models[CHAMPION].card, found.models[CHALLENGER].card
    if champion["version"] == challenger["version"]:
        return rules.without_comparison("already champion: this run was made before")
    if rules.is_backfill(champion, period.as_of):
        return rules.on_backfill(champion, period.as_of)
    if champion["horizon_days"] != period.horizon_days:
        return rules.without_comparison(
            f"the champion was trained for periods of {champion['horizon_days']} days, this one has "
            f"{period.horizon_days}"
        )
    ndcg = figures[CHALLENGER].ndcg
    groups = closed.groups.reindex(ndcg.index)
    return rules.compare(ndcg, figures[CHAMPION].ndcg, groups, np.random.default_rng(seed))
