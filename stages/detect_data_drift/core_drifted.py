"""What a drift report found. Apart from what makes it, so that only that imports Evidently."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from detect_data_drift.core_rules import Distance
from sodai.evaluation.drift_sample import PREDICTION


@dataclass(frozen=True)
class DriftReport:
    """The page, the columns of DRIFT_TABLE, and the columns that were left out, each with the reason."""

    html: str
    table: pd.DataFrame
    left_out: Mapping[str, str]

    @property
    def columns(self) -> pd.DataFrame:
        """The rows of the features."""
        return self.table[self.table["column"] != PREDICTION]

    @property
    def share(self) -> float:
        """Share of the tested features that drifted."""
        return float(self.columns["drifted"].mean())

    @property
    def prediction(self) -> Distance | None:
        """Of the champion's answers from those on its reference; None if not tested."""
        found = self.table[self.table["column"] == PREDICTION].to_dict("records")
        if not found:
            return None
        return Distance(found[0]["score"], found[0]["n_current"], found[0]["n_reference"])
