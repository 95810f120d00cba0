"""Evidently's report of the tested columns: the page for people, the figures for the decision."""

import os
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import Any

# Before the import: Evidently reads it once.
os.environ.setdefault("DO_NOT_TRACK", "true")

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

from detect_data_drift.core_columns import TestedColumn, beyond_chance, values_of, why_not_testable
from detect_data_drift.core_drifted import DriftReport
from sodai.data.catalog import DRIFT_TABLE

_STYLE = "<style>.MuiPaper-root{overflow-x:auto!important}</style>"
_LINKS = '<p style="margin:1rem;font-family:sans-serif"><a href="index.html">The run</a></p>'
_NOTE = '<p style="margin:1rem;font-family:sans-serif">{text}</p>'


def drift_report(current: pd.DataFrame, reference: pd.DataFrame, columns: list[TestedColumn]) -> DriftReport:
    """Compare two samples column by column, each column on the rows of its own grain.

    Args:
        current, reference: grain and the tested columns, one row a customer or product (and period).
        columns: what to test and how.

    Raises:
        InputError: see `why_not_testable`.
    """
    reasons = {column.name: why_not_testable(current, reference, column) for column in columns}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    n_values = {c.name: values_of(current, reference, c) for c in columns if c.name not in left_out}
    testable = [
        replace(column, threshold=beyond_chance(column.threshold, *n_values[column.name]))
        for column in columns
        if column.name in n_values
    ]
    definition = DataDefinition(
        numerical_columns=[column.name for column in testable if not column.categorical],
        categorical_columns=[column.name for column in testable if column.categorical],
    )
    report = Report(
        [ValueDrift(column=c.name, method=c.method, threshold=c.threshold) for c in testable],
        include_tests=True,
    )
    sides = (
        Dataset.from_pandas(_by_unit(side, testable), data_definition=definition)
        for side in (current, reference)
    )
    snapshot = report.run(*sides)
    page = _framed(snapshot.get_html_str(as_iframe=False), left_out)
    return DriftReport(page, _table(snapshot.dict(), testable, n_values), left_out)


def _framed(html: str, left_out: Mapping[str, str]) -> str:
    """Evidently's page with a way back to the run, what it leaves out, and cards that a phone can scroll."""
    told = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
    top = _LINKS + (_NOTE.format(text=escape(f"Not tested: {told}.")) if told else "")
    return html.replace("</head>", _STYLE + "</head>", 1).replace("<body>", "<body>" + top, 1)


def _by_unit(side: pd.DataFrame, columns: list[TestedColumn]) -> pd.DataFrame:
    """Each column's values on the rows of its grain, null elsewhere, where Evidently leaves them out.

    Numbers get 64 bits: NumPy makes no histogram of values that 32 bits hardly tell apart.
    """
    own = {c.name: side[c.name].where(side["grain"] == c.grain) for c in columns}
    return pd.DataFrame(own).astype({c.name: "float64" for c in columns if not c.categorical})


def _table(
    figures: dict[str, Any], columns: list[TestedColumn], n_values: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    failed = {test["metric_config"]["metric_id"]: str(test["status"]) for test in figures["tests"]}
    scores = {
        metric["config"]["column"]: (float(metric["value"]), failed[metric["id"]].upper().endswith("FAIL"))
        for metric in figures["metrics"]
    }
    rows = [(c.name, c.grain, c.method, c.threshold, *scores[c.name], *n_values[c.name]) for c in columns]
    return pd.DataFrame(rows, columns=DRIFT_TABLE.contract.names)
