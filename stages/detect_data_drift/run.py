"""The steps of detect_data_drift: compare this week with the champion's reference, decide the branch."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from detect_data_drift import core_rules as rules
from detect_data_drift.champion import Champion, read_champion
from detect_data_drift.core_columns import list_drift_tests
from detect_data_drift.core_drift_result import DriftResult
from detect_data_drift.core_rules import Signal, Thresholds
from detect_data_drift.inputs import read_demand, read_entities, read_realised_metrics, read_weekly_sales
from detect_data_drift.outputs import write_outputs
from sodai.data.catalog import DRIFT
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.evaluation.drift_sample import PREDICTION
from sodai.model.compatibility import require_features_horizon
from sodai.model.registry import Registry
from sodai.model.trained_model import select_features
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

ReportBuilder = Callable[..., DriftResult]


def run(
    volume: Volume,
    period: Period,
    *,
    force_retrain: bool,
    max_age_weeks: int,
    seed: int,
    tracking_uri: str | None,
    build_drift_report: ReportBuilder,
) -> dict[str, Any]:
    """Compare this week with the champion's reference, and decide which branch follows."""
    require_features_horizon(volume, period)
    thresholds = Thresholds(max_age_weeks=max_age_weeks)
    registry = Registry(volume, tracking_uri)
    with volume.attempt(DRIFT, period.as_of) as attempt:
        scratch = attempt.scratch("champion")
        version, champion = read_champion(registry, scratch, period, lenient=force_retrain)
        signals, result = [rules.check_champion(version), rules.check_force(force_retrain)], None
        if champion:
            result = _compare(build_drift_report, volume, period, champion, seed, lenient=force_retrain)
        if champion and result:
            signals += _check_champion(volume, period, champion, result, seed, thresholds)
        decision = rules.decide(signals)
        write_outputs(attempt, period, version, result, signals, decision)
    log.info("%s: %s", decision.branch, decision.reason)
    return {
        "branch": decision.branch,
        "rule": decision.rule,
        "reason": decision.reason,
        "drift_share": result.share if result else None,
        "n_drifted": int(result.features["drifted"].sum()) if result else 0,
        "n_tested": len(result.features) if result else 0,
    }


def _compare(
    build: ReportBuilder, volume: Volume, period: Period, champion: Champion, seed: int, lenient: bool
) -> DriftResult | None:
    """Compare this week with the champion's reference; None if that fails and the run is lenient."""
    try:
        samples = (read_entities(volume, period, seed), champion.reference.to_pandas())
        current, reference = (
            sample.assign(**{PREDICTION: champion.model.log_odds(select_features(sample))})
            for sample in samples
        )
        return build(current, reference, list_drift_tests())
    except InputError as error:
        if not lenient:
            raise
        log.warning("no drift report: %s", error)
        return None


def _check_champion(
    volume: Volume, period: Period, champion: Champion, result: DriftResult, seed: int, thresholds: Thresholds
) -> list[Signal]:
    age, waited = champion.age_weeks(period), champion.since_training_weeks(period)
    cooling = waited < thresholds.cool_down_weeks
    newest, known = read_demand(volume, period, champion.reference)
    realised, rng = read_realised_metrics(volume, period), np.random.default_rng(seed)
    margins = {
        name: realised.margin(metric, rng) if realised else None
        for name, metric in (("realised_set_lead", "set_f1"), ("realised_list_lead", "ndcg"))
    }
    return [
        rules.check_horizon(champion.model.card["horizon_days"], period.horizon_days),
        rules.check_backfill(champion.as_of, period.as_of),
        rules.check_features(result.share, cooling, thresholds),
        rules.check_predictions(result.prediction, cooling, thresholds),
        rules.check_demand(newest, known, cooling, thresholds),
        rules.check_returns(read_weekly_sales(volume, period), cooling, thresholds),
        *(rules.check_realised(name, margin, cooling, thresholds) for name, margin in margins.items()),
        rules.check_age(age, waited, thresholds),
    ]
