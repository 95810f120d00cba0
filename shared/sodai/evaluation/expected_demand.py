"""The expected volume of a period: what evaluates a model and what publishes with it must agree."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from sodai.data.catalog import FEATURES_STAGE, FORECASTS
from sodai.errors import InputError
from sodai.evaluation.purchase_set import probabilities_at_demand
from sodai.volume.volume import Volume


@dataclass(frozen=True)
class ExpectedDemand:
    """Distinct pairs expected to be bought in a period, and the part of them that are no candidates.

    `missing_share` is that of the model's training periods, 0 to less than 1.
    """

    pairs: float
    missing_share: float

    @property
    def missing_pairs(self) -> float:
        """Expected number of purchased pairs that are no candidates."""
        return self.pairs * self.missing_share

    @property
    def candidate_pairs(self) -> float:
        """Expected number of purchased pairs among the candidates."""
        return self.pairs - self.missing_pairs

    def probabilities(self, log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities of all candidates of the period, from their calibrated log-odds: (n,)."""
        return probabilities_at_demand(log_odds, self.candidate_pairs)


def read_expected_demand(volume: Volume, as_of: date, cutoff: date, missing_share: float) -> ExpectedDemand:
    """The forecast that the run for `as_of` made of the period that starts on `cutoff`.

    Raises:
        InputError: there is none, or it is no number.
        ContractError: the table breaks its contract.
    """
    table = volume.read(FORECASTS, as_of)
    found = table.filter(pc.field("cutoff") == cutoff)["expected_pairs"].to_pylist()
    if not found:
        raise InputError(
            f"{volume.path(FORECASTS, as_of)}: found no forecast for {cutoff}, expected one for every "
            f"period of the week; run {FEATURES_STAGE} for {as_of} again"
        )
    if not np.isfinite(found[0]):
        raise InputError(
            f"{volume.path(FORECASTS, as_of)}: found expected_pairs {found[0]} for {cutoff}, expected a "
            f"number; run {FEATURES_STAGE} for {as_of} again"
        )
    return ExpectedDemand(found[0], missing_share)
