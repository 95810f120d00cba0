"""The outputs of detect_data_drift: decision, table, record and page."""

from collections.abc import Sequence

import pyarrow as pa

from detect_data_drift.core_drift_result import DriftResult
from detect_data_drift.core_rules import Decision, Signal, to_record
from sodai.data.catalog import DECISION, DRIFT_PAGE, DRIFT_REPORT, DRIFT_TABLE
from sodai.data.periods import Period
from sodai.report.pages import load_template, page
from sodai.volume.attempt import Attempt


def write_outputs(
    attempt: Attempt,
    period: Period,
    version: str | None,
    result: DriftResult | None,
    signals: Sequence[Signal],
    decision: Decision,
) -> None:
    """Write all outputs; without a drift result, table and record are empty and the page says why.

    Args:
        attempt: of the stage.
        period: to predict.
        version: of the champion; None if there is none.
        result: None if there was nothing to compare with.
        signals: in the order of their rules.
        decision: that follows from them.
    """
    share = result.share if result else None
    context = {"as_of": period.as_of, "champion_version": version, "drift_share": share}
    attempt.write_json(DECISION, to_record(decision, signals, context))
    schema = DRIFT_TABLE.contract.schema
    table = schema.empty_table()
    if result:
        table = pa.Table.from_pandas(result.table, schema, preserve_index=False)
    attempt.write(DRIFT_TABLE, table)
    left_out = dict(result.left_out) if result else {}
    attempt.write_json(DRIFT_REPORT, {"share": share, "columns": table.to_pylist(), "left_out": left_out})
    attempt.write_text(DRIFT_PAGE, result.html if result else _page_without_report(decision.reason))


def _page_without_report(reason: str) -> str:
    body = load_template(__package__, "no_report.html.jinja").render(reason=reason)
    return page("Drift report", body, "Evidently compares this week with the champion's reference")
