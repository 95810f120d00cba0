"""Evidently's report of the tested columns: the page for people, the figures for the decision."""

import os
from dataclasses import dataclass, replace
from typing import Any

# Before the import: Evidently reads it once.
os.environ.setdefault("DO_NOT_TRACK", "true")

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

from detect_data_drift.core_columns import TestedColumn, beyond_chance
from sodai.errors import InputError
from sodai.units import PREDICTION

_STYLE = "<style>.MuiPaper-root{overflow-x:auto!important}</style>"
_LINKS = '<p style="margin:1rem;font-family:sans-serif"><a href="index.html">The run</a></p>'


@dataclass(frozen=True)
class DriftReport:
    """The page, and one row a tested column: column, unit, method, threshold, score, drifted."""

    html: str
    table: pd.DataFrame

    @property
    def columns(self) -> pd.DataFrame:
        """The rows of the features."""
        return self.table[self.table["column"] != PREDICTION]

    @property
    def share(self) -> float:
        """Share of the tested features that drifted."""
        return float(self.columns["drifted"].mean())

    @property
    def prediction_distance(self) -> float | None:
        """Distance of the champion's answers from those on its reference; None if not tested."""
        found = self.table.loc[self.table["column"] == PREDICTION, "score"]
        return float(found.iloc[0]) if len(found) else None


def drift_report(current: pd.DataFrame, reference: pd.DataFrame, columns: list[TestedColumn]) -> DriftReport:
    """Compare two samples column by column, each column on the rows of its own unit.

    Args:
        current, reference: unit and the tested columns, one row a customer or product (and period).
        columns: what to test and how.

    Raises:
        InputError: a column has no values on one side; a gate that cannot see must not decide.
    """
    testable = [
        replace(column, threshold=beyond_chance(column.threshold, *counts))
        for column in columns
        if (counts := _counts(current, reference, column)) != (0, 0)
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
    return DriftReport(_framed(snapshot.get_html_str(as_iframe=False)), _table(snapshot.dict(), testable))


def _framed(html: str) -> str:
    """Evidently's page with a way back to the run, and with cards that a phone can scroll."""
    return html.replace("</head>", _STYLE + "</head>", 1).replace("<body>", "<body>" + _LINKS, 1)


def _counts(current: pd.DataFrame, reference: pd.DataFrame, column: TestedColumn) -> tuple[int, int]:
    """Values of a column on each side, on the rows of its unit."""
    n_current, n_reference = (
        int(side.loc[side["unit"] == column.unit, column.name].count()) for side in (current, reference)
    )
    if min(n_current, n_reference) == 0 < max(n_current, n_reference):
        raise InputError(
            f"drift of {column.name}: found {n_current} current and {n_reference} reference values, expected "
            "some on both sides; check the input of this week, or train again with force_retrain"
        )
    return n_current, n_reference


def _by_unit(side: pd.DataFrame, columns: list[TestedColumn]) -> pd.DataFrame:
    """Each column's values on the rows of its unit, null elsewhere, where Evidently leaves them out.

    Numbers get 64 bits: NumPy makes no histogram of values that 32 bits hardly tell apart.
    """
    own = {c.name: side[c.name].where(side["unit"] == c.unit) for c in columns}
    return pd.DataFrame(own).astype({c.name: "float64" for c in columns if not c.categorical})


def _table(figures: dict[str, Any], columns: list[TestedColumn]) -> pd.DataFrame:
    failed = {test["metric_config"]["metric_id"]: str(test["status"]) for test in figures["tests"]}
    scores = {
        metric["config"]["column"]: (float(metric["value"]), failed[metric["id"]].upper().endswith("FAIL"))
        for metric in figures["metrics"]
    }
    return pd.DataFrame(
        [(c.name, c.unit, c.method, c.threshold, *scores[c.name]) for c in columns],
        columns=["column", "unit", "method", "threshold", "score", "drifted"],
    )
