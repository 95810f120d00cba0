"""Probabilities at the expected demand and the purchase set with the largest expected F1."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from sodai.runtime.concurrency import prefetch_map
from sodai.runtime.limits import available_cpus

Floats = npt.NDArray[np.float64]

# Log-odds or probabilities of a whole period, block by block, the same at every call: they may be larger than
# memory, and some ten passes are made over them.
Blocks = Callable[[], Iterable[Floats]]

_ALMOST_NONE = 1e-6
# Where the passes for the set start; every start ends at the same set.
_FIRST_THRESHOLD = 0.25
_LARGEST_SHIFT, _SHIFT_TOLERANCE = 60.0, 1e-11


def shift_to_demand(log_odds: Blocks, expected_pairs: float) -> float:
    """Return the shift of all log-odds after which their probabilities add up to the expected demand.

    Args:
        log_odds: (n,) in blocks, of at least one purchase, calibrated on past periods.
        expected_pairs: bought pairs expected among these n; a number outside 0 to n counts as almost none
            or almost all.

    Raises:
        ValueError: a log-odds or the expected number is NaN.
    """
    # One shift for all: the model knows which pairs are likelier, the forecast of the period how many pairs
    # will be bought. The model knows the demand of its training weeks only: on twelve weeks of SodAI its sum
    # was off by 10 % on average, the forecast by 6.5 %.
    n, n_nan = 0, 0
    for block in log_odds():
        n, n_nan = n + len(block), n_nan + int(np.isnan(block).sum())
    if np.isnan(expected_pairs) or n_nan:
        raise ValueError(
            f"found {n_nan} NaN among {n} log-odds and an expected demand of {expected_pairs} pairs, "
            "expected numbers"
        )
    target = min(max(expected_pairs, n * _ALMOST_NONE), n * (1 - _ALMOST_NONE))
    low, high, shift = -_LARGEST_SHIFT, _LARGEST_SHIFT, 0.0
    while n and high - low > _SHIFT_TOLERANCE:
        total, slope = _sum_and_slope(log_odds, shift)
        low, high = (low, shift) if total > target else (shift, high)
        # Newton's method on the logarithm of the sum, which is nearly linear; bisection where it leaves the
        # interval.
        newton = shift + np.log(target / total) * total / slope if slope else high
        following = newton if low < newton < high else (low + high) / 2
        if abs(following - shift) <= _SHIFT_TOLERANCE:
            return float(following)
        shift = float(following)
    return shift


def probabilities(log_odds: Floats, shift: float = 0.0) -> Floats:
    """Return the probabilities (n,) of log-odds after a shift, which keeps their order."""
    return np.asarray(1 / (1 + np.exp(-(log_odds + shift))), dtype=np.float64)


def probabilities_at_demand(log_odds: Floats, expected_pairs: float) -> Floats:
    """Return probabilities (n,) that add up to the expected demand, see `shift_to_demand`."""
    return probabilities(log_odds, shift_to_demand(lambda: [log_odds], expected_pairs))


def expected_f1_threshold(probability: Blocks, missing_pairs: float = 0.0) -> float:
    """Return the probability above which pairs belong to the set with the largest expected F1.

    Args:
        probability: (n,) in blocks, of at least one purchase in the period.
        missing_pairs: expected number of bought pairs that are no candidates; they count in the sum over
            all pairs.
    """
    # Expected F1 is 2 * sum(selected) / (n selected + sum(all)), with the expectation of a ratio approximated
    # by the ratio of expectations. A pair increases it if its probability is above half of the F1 so far.
    # Each pass selects the pairs above half of the previous pass's F1 (Dinkelbach, 1967), without sorting.
    threshold = _half_f1(probability, _FIRST_THRESHOLD, missing_pairs)
    while (better := _half_f1(probability, threshold, missing_pairs)) > threshold:
        threshold = better
    return threshold


def expected_f1_set(probability: Floats, missing_pairs: float = 0.0) -> npt.NDArray[np.bool_]:
    """Return the mask (n,) of the set with the largest expected F1, see `expected_f1_threshold`."""
    return probability > expected_f1_threshold(lambda: [probability], missing_pairs)


def _half_f1(probability: Blocks, threshold: float, missing_pairs: float) -> float:
    """Return half of the expected F1 of the pairs above a threshold."""

    def sums(block: Floats) -> tuple[float, float]:
        selected = block[block > threshold]
        return selected.sum(), len(selected) + block.sum()

    hits, size = 0.0, missing_pairs
    for hits_of_block, size_of_block in prefetch_map(sums, probability(), available_cpus()):
        hits, size = hits + hits_of_block, size + size_of_block
    return float(hits / size) if size else 0.0


def _sum_and_slope(log_odds: Blocks, shift: float) -> tuple[float, float]:
    def sums(block: Floats) -> tuple[float, float]:
        p = probabilities(block, shift)
        return p.sum(), (p * (1 - p)).sum()

    total = slope = 0.0
    for total_of_block, slope_of_block in prefetch_map(sums, log_odds(), available_cpus()):
        total, slope = total + total_of_block, slope + slope_of_block
    return total, slope


def expected_f1(probability: Floats, selected: npt.NDArray[np.bool_], missing_pairs: float = 0.0) -> float:
    """Return the expected F1 of a set of pairs; 0.0 if nothing is expected and nothing selected.

    Args:
        probability: (n,) of at least one purchase in the period.
        selected: (n,) mask of the set.
        missing_pairs: expected number of bought pairs that are no candidates.
    """
    size = selected.sum() + probability.sum() + missing_pairs
    return float(2 * probability[selected].sum() / size) if size else 0.0
