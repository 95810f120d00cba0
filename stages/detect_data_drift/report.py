"""Evidently's report of the tested columns: its page, and the figures for the decision."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

# Before the import, because Evidently reads it once.
os.environ.setdefault("DO_NOT_TRACK", "true")

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

from detect_data_drift.core_columns import DriftTest, adjust_threshold, count_values, explain_empty
from detect_data_drift.core_drift_result import DriftResult
from sodai.data.catalog import DRIFT_TABLE
from sodai.report.pages import load_template


def build_drift_report(current: pd.DataFrame, reference: pd.DataFrame, tests: list[DriftTest]) -> DriftResult:
    """Compare two samples column by column, each column on the rows of its own grain.

    Args:
        current, reference: grain and the tested columns, one row per customer or product (and period).
        tests: of the columns.

    Raises:
        InputError: see `explain_empty`.
    """
    reasons = {test.column: explain_empty(current, reference, test) for test in tests}
    left_out = {column: reason for column, reason in reasons.items() if reason}
    tests = [test for test in tests if test.column not in left_out]
    n_values = {test.column: count_values(current, reference, test) for test in tests}
    tests = [
        replace(test, threshold=adjust_threshold(test.threshold, *n_values[test.column])) for test in tests
    ]
    definition = DataDefinition(
        numerical_columns=[test.column for test in tests if not test.categorical],
        categorical_columns=[test.column for test in tests if test.categorical],
    )
    drifts = [ValueDrift(column=test.column, method=test.method, threshold=test.threshold) for test in tests]
    samples = (
        Dataset.from_pandas(_values_by_grain(sample, tests), data_definition=definition)
        for sample in (current, reference)
    )
    snapshot = Report(drifts, include_tests=True).run(*samples)
    page = _complete(snapshot.get_html_str(as_iframe=False), left_out)
    return DriftResult(page, _table(snapshot.dict(), tests, n_values), left_out)


def _complete(html: str, left_out: Mapping[str, str]) -> str:
    """Add a link to the run, the columns that were left out, and cards that scroll on a phone."""
    head = load_template(__package__, "report_head.html.jinja").render()
    top = load_template(__package__, "report_top.html.jinja").render(left_out=left_out)
    return html.replace("</head>", head + "</head>", 1).replace("<body>", "<body>" + top, 1)


def _values_by_grain(sample: pd.DataFrame, tests: list[DriftTest]) -> pd.DataFrame:
    # Evidently skips nulls: each column keeps its values on the rows of its grain only. Numbers get 64 bits,
    # because NumPy makes no histogram of values that differ by little more than the precision of 32 bits.
    values = {test.column: sample[test.column].where(sample["grain"] == test.grain) for test in tests}
    return pd.DataFrame(values).astype({test.column: "float64" for test in tests if not test.categorical})


def _table(
    figures: dict[str, Any], tests: list[DriftTest], n_values: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    status = {test["metric_config"]["metric_id"]: str(test["status"]) for test in figures["tests"]}
    scores = {
        metric["config"]["column"]: (float(metric["value"]), status[metric["id"]].upper().endswith("FAIL"))
        for metric in figures["metrics"]
    }
    rows = [(t.column, t.grain, t.method, t.threshold, *scores[t.column], *n_values[t.column]) for t in tests]
    return pd.DataFrame(rows, columns=DRIFT_TABLE.contract.names)
