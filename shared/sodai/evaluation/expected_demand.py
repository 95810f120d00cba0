"""The expected demand of a period, the same for evaluating a model and for predicting with it."""

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
    """The distinct pairs expected to be bought in a period.

    Attributes:
        pairs: expected number, candidates or not.
        missing_share: share of bought pairs that were no candidates in the model's training periods, 0 to
            less than 1.
    """

    pairs: float
    missing_share: float

    @property
    def missing_pairs(self) -> float:
        """Return the expected number of bought pairs that are no candidates."""
        return self.pairs * self.missing_share

    @property
    def candidate_pairs(self) -> float:
        """Return the expected number of bought pairs among the candidates."""
        return self.pairs - self.missing_pairs

    def probabilities(self, log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the probabilities (n,) of all candidates of the period from their calibrated log-odds."""
        return probabilities_at_demand(log_odds, self.candidate_pairs)


def read_expected_demand(volume: Volume, as_of: date, cutoff: date, missing_share: float) -> ExpectedDemand:
    """Read the demand that the run for `as_of` forecast for one of its periods.

    Args:
        volume: with FORECASTS of the run.
        as_of: first day of the period that the run predicts.
        cutoff: first day of the forecast period: `as_of` or an earlier one.
        missing_share: of the model, see ExpectedDemand.

    Raises:
        InputError: there is no forecast, or it is no number.
        ContractError: the table breaks its contract.
    """
    table = volume.read(FORECASTS, as_of)
    forecasts = table.filter(pc.field("cutoff") == cutoff)["expected_pairs"].to_pylist()
    if not forecasts:
        raise InputError(
            f"{volume.path(FORECASTS, as_of)}: found no forecast for {cutoff}, expected one for every "
            f"period of the week; run {FEATURES_STAGE} for {as_of} again"
        )
    if not np.isfinite(forecasts[0]):
        raise InputError(
            f"{volume.path(FORECASTS, as_of)}: found expected_pairs {forecasts[0]} for {cutoff}, expected a "
            f"number; run {FEATURES_STAGE} for {as_of} again"
        )
    return ExpectedDemand(forecasts[0], missing_share)
