"""The result of a drift report, apart from Evidently, which only its computation imports."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from detect_data_drift.core_rules import Distance
from sodai.evaluation.drift_sample import PREDICTION


@dataclass(frozen=True)
class DriftResult:
    """Page and figures of a drift report.

    Attributes:
        html: the page.
        table: the columns of DRIFT_TABLE.
        left_out: columns that could not be tested, each with the reason.
    """

    html: str
    table: pd.DataFrame
    left_out: Mapping[str, str]

    @property
    def features(self) -> pd.DataFrame:
        """Return the rows of the tested features."""
        return self.table[self.table["column"] != PREDICTION]

    @property
    def share(self) -> float:
        """Return the share of the tested features that drifted."""
        return float(self.features["drifted"].mean())

    @property
    def prediction(self) -> Distance | None:
        """Return the distance between the champion's predictions on both samples; None if not tested."""
        rows = self.table[self.table["column"] == PREDICTION].to_dict("records")
        return Distance(rows[0]["score"], rows[0]["n_current"], rows[0]["n_reference"]) if rows else None
