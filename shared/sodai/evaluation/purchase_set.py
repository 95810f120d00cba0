"""Probabilities, the predicted purchase set and the order of a list: what stages must agree on."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from sodai.runtime.concurrency import prefetch_map
from sodai.runtime.limits import available_cpus

Floats = npt.NDArray[np.float64]

# Log-odds or probabilities of a whole period, block by block, the same at every call: they may be
# more than memory holds, and are passed over some ten times.
Blocks = Callable[[], Iterable[Floats]]

_NEXT_TO_NONE = 1e-6
# Whence the passes for the set begin; any start ends at the same set.
_USUAL_THRESHOLD = 0.25
_LARGEST_SHIFT, _SHIFT_TOLERANCE = 60.0, 1e-11


def shift_to_demand(log_odds: Blocks, expected_pairs: float) -> float:
    """What is added to all log-odds so that their probabilities add up to an expected number of purchases.

    All move by the same amount: the model says which pairs are likelier than which, the forecast of
    the period how many there will be. Of the volume the model knows only its training weeks; on
    SodAI its sum missed twelve weeks by 10 % in the mean, the forecast by 6.5 %.

    Args:
        log_odds: (n,) in blocks, of at least one purchase, calibrated on past periods.
        expected_pairs: purchased pairs expected among these n; what lies outside 0 to n is taken
            for next to none or next to all.

    Raises:
        ValueError: a log-odds or the expected number is NaN.
    """
    n, n_nan = 0, 0
    for block in log_odds():
        n, n_nan = n + len(block), n_nan + int(np.isnan(block).sum())
    if np.isnan(expected_pairs) or n_nan:
        raise ValueError(
            f"found {n_nan} NaN among {n} log-odds and an expected volume of {expected_pairs} pairs, "
            "expected numbers"
        )
    target = min(max(expected_pairs, n * _NEXT_TO_NONE), n * (1 - _NEXT_TO_NONE))
    low, high, shift = -_LARGEST_SHIFT, _LARGEST_SHIFT, 0.0
    while n and high - low > _SHIFT_TOLERANCE:
        total, slope = _sum_and_slope(log_odds, shift)
        low, high = (low, shift) if total > target else (shift, high)
        # Newton on the logarithm of the sum, which is nearly a line; halving where that leads astray.
        tried = shift + np.log(target / total) * total / slope if slope else high
        guess = tried if low < tried < high else (low + high) / 2
        if abs(guess - shift) <= _SHIFT_TOLERANCE:
            return float(guess)
        shift = float(guess)
    return shift


def probabilities(log_odds: Floats, shift: float = 0.0) -> Floats:
    """Probabilities of log-odds after a shift: (n,); the order of the log-odds is kept."""
    return np.asarray(1 / (1 + np.exp(-(log_odds + shift))), dtype=np.float64)


def probabilities_at_demand(log_odds: Floats, expected_pairs: float) -> Floats:
    """Probabilities that add up to an expected number of purchases: (n,), see `shift_to_volume`."""
    return probabilities(log_odds, shift_to_demand(lambda: [log_odds], expected_pairs))


def expected_f1_threshold(probability: Blocks, missing_pairs: float = 0.0) -> float:
    """The probability above which pairs belong to the set with the largest expected F1.

    That F1 is 2 * sum(taken) / (n taken + sum(all)), the optimum up to the approximation of the
    expectation of a ratio by the ratio of expectations. A pair adds to it where its probability is
    above half of what has been reached, so the set is found by passes that each take the pairs above
    half of the F1 of the pass before (Dinkelbach, 1967), without sorting.

    Args:
        probability: (n,) in blocks, of at least one purchase in the period.
        missing_pairs: expected number of purchased pairs that are no candidates; they count into
            the sum over all.
    """
    threshold = _half_f1(probability, _USUAL_THRESHOLD, missing_pairs)
    while (better := _half_f1(probability, threshold, missing_pairs)) > threshold:
        threshold = better
    return threshold


def expected_f1_set(probability: Floats, missing_pairs: float = 0.0) -> npt.NDArray[np.bool_]:
    """The pairs whose set has the largest expected F1: (n,) mask, see `expected_f1_threshold`."""
    return probability > expected_f1_threshold(lambda: [probability], missing_pairs)


def _half_f1(probability: Blocks, threshold: float, missing_pairs: float) -> float:
    """Half of the expected F1 of the pairs above a threshold."""

    def of_block(block: Floats) -> tuple[float, float]:
        chosen = block[block > threshold]
        return chosen.sum(), len(chosen) + block.sum()

    taken, size = 0.0, missing_pairs
    for taken_of_block, size_of_block in prefetch_map(of_block, probability(), available_cpus()):
        taken, size = taken + taken_of_block, size + size_of_block
    return float(taken / size) if size else 0.0


def _sum_and_slope(log_odds: Blocks, shift: float) -> tuple[float, float]:
    def of_block(block: Floats) -> tuple[float, float]:
        p = probabilities(block, shift)
        return p.sum(), (p * (1 - p)).sum()

    total = slope = 0.0
    for total_of_block, slope_of_block in prefetch_map(of_block, log_odds(), available_cpus()):
        total, slope = total + total_of_block, slope + slope_of_block
    return total, slope


def expected_f1(probability: Floats, selected: npt.NDArray[np.bool_], missing_pairs: float = 0.0) -> float:
    """Expected F1 of a set of pairs; 0.0 if nothing is expected and nothing selected.

    Args:
        probability: (n,) of at least one purchase in the period.
        selected: (n,) mask of the set.
        missing_pairs: expected number of purchased pairs that are no candidates.
    """
    size = selected.sum() + probability.sum() + missing_pairs
    return float(2 * probability[selected].sum() / size) if size else 0.0
