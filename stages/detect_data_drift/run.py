"""The steps of detect_data_drift."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from detect_data_drift import core_rules as rules
from detect_data_drift import records
from detect_data_drift.core_columns import tested_columns
from detect_data_drift.core_drifted import DriftReport
from detect_data_drift.core_rules import Signal, Thresholds
from detect_data_drift.records import Champion
from sodai.data.catalog import (
    DECISION,
    DRIFT,
    DRIFT_PAGE,
    DRIFT_REPORT,
    DRIFT_TABLE,
)
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.evaluation.drift_sample import PREDICTION
from sodai.model.compatibility import require_features_horizon
from sodai.model.registry import Registry
from sodai.model.trained_model import select_features
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")


def run(
    volume: Volume,
    period: Period,
    *,
    force_retrain: bool,
    max_age_weeks: int,
    seed: int,
    tracking_uri: str | None,
    drift_report: Callable[..., DriftReport],
) -> dict[str, Any]:
    """Compare this week with the champion's reference, and decide which branch follows."""
    require_features_horizon(volume, period)
    thresholds = rules.Thresholds(max_age_weeks=max_age_weeks)
    registry = Registry(volume, tracking_uri)
    with volume.attempt(DRIFT, period.as_of) as attempt:
        found = records.champion_of(registry, attempt.scratch("champion"), period, lenient=force_retrain)
        champion = found.champion if found else None
        report = (
            _report(drift_report, volume, period, champion, seed, lenient=force_retrain) if champion else None
        )
        version, share = found.version if found else None, report.share if report else None
        signals = [rules.champion_missing(version), rules.forced(force_retrain)]
        if champion and report:
            signals += _signals(volume, period, champion, report, seed, thresholds)
        decision = rules.decide(signals)
        more = {"as_of": period.as_of, "champion_version": version, "drift_share": share}
        attempt.write_json(DECISION, rules.record(decision, signals, more))
        table = report.table if report else records.empty_table()
        attempt.write(
            DRIFT_TABLE, pa.Table.from_pandas(table, DRIFT_TABLE.contract.schema, preserve_index=False)
        )
        left_out = dict(report.left_out) if report else {}
        attempt.write_json(
            DRIFT_REPORT, {"share": share, "columns": table.to_dict("records"), "left_out": left_out}
        )
        attempt.write_text(
            DRIFT_PAGE, report.html if report else records.page_without_report(decision.reason)
        )
    log.info("%s: %s", decision.branch, decision.reason)
    drifted = int(report.columns["drifted"].sum()) if report else 0
    return {
        "branch": decision.branch,
        "rule": decision.rule,
        "reason": decision.reason,
        "drift_share": share,
        "n_drifted": drifted,
        "n_tested": len(report.columns) if report else 0,
    }


def _report(
    drift_report: Callable[..., DriftReport],
    volume: Volume,
    period: Period,
    champion: Champion,
    seed: int,
    lenient: bool,
) -> DriftReport | None:
    """This week beside the champion's reference; None where only a forced run gets past what is wrong."""
    try:
        current, reference = (
            units.assign(**{PREDICTION: champion.model.log_odds(select_features(units))})
            for units in (records.current_units(volume, period, seed), champion.reference.to_pandas())
        )
        return drift_report(current, reference, tested_columns())
    except InputError as error:
        if not lenient:
            raise
        log.warning("no drift report: %s", error)
        return None


def _signals(
    volume: Volume,
    period: Period,
    champion: Champion,
    report: DriftReport,
    seed: int,
    thresholds: Thresholds,
) -> list[Signal]:

    age, waited = champion.age_weeks(period), champion.since_training_weeks(period)
    cooling = waited < thresholds.cool_down_weeks
    newest, known = records.volumes(volume, period, champion.reference)
    published, rng = records.last_published(volume, period), np.random.default_rng(seed)
    leads = [
        rules.realised_lead(name, published.lead(metric, rng) if published else None, cooling, thresholds)
        for name, metric in (("realised_set_lead", "set_f1"), ("realised_list_lead", "ndcg"))
    ]
    return [
        rules.other_horizon(champion.model.card["horizon_days"], period.horizon_days),
        rules.trained_later(champion.as_of, period.as_of),
        rules.feature_drift(report.share, cooling, thresholds),
        rules.prediction_drift(report.prediction, cooling, thresholds),
        rules.volume_drift(newest, known, cooling, thresholds),
        rules.returned_ratio(records.weekly_sales(volume, period), cooling, thresholds),
        *leads,
        rules.too_old(age, waited, thresholds),
    ]
