"""The command of detect_data_drift: features and the champion's reference in, the decision out."""

import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sodai.cli import (
    DEFAULT_DATA,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    Seed,
    TrackingUri,
    stage_command,
)
from sodai.datasets import DECISION, DRIFT, DRIFT_PAGE, DRIFT_REPORT, DRIFT_TABLE, SCORING

if TYPE_CHECKING:
    from detect_data_drift.core_rules import Signal, Thresholds
    from detect_data_drift.records import Champion
    from detect_data_drift.report import DriftReport
    from sodai.periods import Period
    from sodai.volume import Volume

log = logging.getLogger("sodai")


@stage_command(DRIFT)
def detect_data_drift(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    force_retrain: Annotated[bool, typer.Option(help="Train again whatever the report says.")] = False,
    max_age_weeks: Annotated[int, typer.Option(min=1, help="Age at which a champion is replaced.")] = 8,
    seed: Seed = 0,
    tracking_uri: TrackingUri = None,
) -> dict[str, Any]:
    """Compare this week with the champion's reference, and decide which branch follows."""
    import pyarrow as pa

    from detect_data_drift import core_rules as rules
    from detect_data_drift import records
    from sodai.periods import Period, parse_date
    from sodai.registry import Registry
    from sodai.volume import Volume

    volume, period = Volume(data), Period(parse_date(as_of), horizon_days)
    thresholds = rules.Thresholds(max_age_weeks=max_age_weeks)
    registry = Registry(volume, tracking_uri)
    with volume.attempt(DRIFT, period.as_of) as attempt:
        champion = records.champion_of(registry, attempt.scratch("champion"), lenient=force_retrain)
        report = (
            _report(volume, period, champion, seed) if champion and champion.reference is not None else None
        )
        signals = _signals(volume, period, champion, report, force_retrain, thresholds)
        decision = rules.decide(signals)
        version, share = champion.version if champion else None, report.share if report else None
        more = {"as_of": period.as_of, "champion_version": version, "drift_share": share}
        attempt.write_json(DECISION, rules.record(decision, signals, more))
        table = report.table if report else records.empty_table()
        attempt.write(
            DRIFT_TABLE, pa.Table.from_pandas(table, DRIFT_TABLE.contract.schema, preserve_index=False)
        )
        attempt.write_json(DRIFT_REPORT, {"share": share, "columns": table.to_dict("records")})
        attempt.write_text(
            DRIFT_PAGE, report.html if report else records.page_without_report(decision.reason)
        )
    log.info("%s: %s", decision.branch, decision.reason)
    drifted = int(table["drifted"].sum())
    return {
        "branch": decision.branch,
        "rule": decision.rule,
        "reason": decision.reason,
        "drift_share": share,
        "n_drifted": drifted,
        "n_tested": len(table),
    }


def _report(volume: "Volume", period: "Period", champion: "Champion", seed: int) -> "DriftReport":
    from detect_data_drift.core_columns import tested_columns
    from detect_data_drift.report import drift_report
    from sodai.units import one_row_a_unit

    current = one_row_a_unit(volume.read(SCORING, period.as_of).to_pandas(), seed)
    if champion.reference is None:
        raise ValueError("a champion without a reference cannot be compared with")
    return drift_report(current, champion.reference.to_pandas(), tested_columns())


def _signals(
    volume: "Volume",
    period: "Period",
    champion: "Champion | None",
    report: "DriftReport | None",
    force: bool,
    thresholds: "Thresholds",
) -> "list[Signal]":
    from detect_data_drift import core_rules as rules
    from detect_data_drift import records

    signals = [rules.champion_missing(champion.version if champion else None), rules.forced(force)]
    if champion is None or report is None or champion.reference is None:
        return signals
    age = champion.age_weeks(period)
    cooling = age < thresholds.cool_down_weeks
    newest, known = records.volumes(volume, period, champion.reference)
    expected, realised = records.last_published(volume, period)
    return [
        *signals,
        rules.other_horizon(champion.manifest["horizon_days"], period.horizon_days),
        rules.feature_drift(report.share, cooling, thresholds),
        rules.volume_drift(newest, known, cooling, thresholds),
        rules.realised_drift(expected, realised, cooling, thresholds),
        rules.too_old(age, thresholds),
    ]
