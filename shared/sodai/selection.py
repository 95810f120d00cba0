"""Probabilities, the predicted purchase set and the order of a list: what stages must agree on."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

_NEXT_TO_NONE = 1e-6
_LARGEST_SHIFT, _SHIFT_TOLERANCE = 60.0, 1e-11


def probabilities_at_volume(log_odds: Floats, expected_pairs: float) -> Floats:
    """Probabilities that add up to an expected number of purchases.

    All log-odds move by the same amount: the model says which pairs are likelier than which, the
    forecast of the period how many there will be. Of the volume the model knows only its training
    weeks; on SodAI its sum missed twelve weeks by 10 % in the mean, the forecast by 6.5 %.

    Args:
        log_odds: (n,) of at least one purchase, calibrated on past periods.
        expected_pairs: purchased pairs expected among these n; what lies outside 0 to n is taken
            for next to none or next to all.

    Returns:
        (n,) probabilities; the order of the log-odds is kept.

    Raises:
        ValueError: a log-odds or the expected number is NaN.
    """
    if np.isnan(expected_pairs) or np.isnan(log_odds).any():
        raise ValueError(
            f"found {np.isnan(log_odds).sum()} NaN among {len(log_odds)} log-odds and an expected volume of "
            f"{expected_pairs} pairs, expected numbers"
        )
    n = len(log_odds)
    target = min(max(expected_pairs, n * _NEXT_TO_NONE), n * (1 - _NEXT_TO_NONE))
    low, high = -_LARGEST_SHIFT, _LARGEST_SHIFT
    while n and high - low > _SHIFT_TOLERANCE:
        middle = (low + high) / 2
        low, high = (low, middle) if _sigmoid(log_odds + middle).sum() > target else (middle, high)
    return _sigmoid(log_odds + (low + high) / 2)


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)), dtype=np.float64)


def expected_f1_set(probability: Floats, missing_pairs: float = 0.0) -> npt.NDArray[np.bool_]:
    """The pairs whose set has the largest expected F1, given calibrated probabilities.

    Pairs are taken in order of probability while 2 * sum(taken) / (n taken + sum(all)) grows, which
    is the optimum up to the approximation of the expectation of a ratio by the ratio of expectations.

    Args:
        probability: (n,) of at least one purchase in the period.
        missing_pairs: expected number of purchased pairs that are no candidates; they count into
            the sum over all.

    Returns:
        (n,) mask of the set.
    """
    order = np.argsort(-probability, kind="stable")
    taken = np.cumsum(probability[order])
    expected_f1 = 2 * taken / (np.arange(1, len(order) + 1) + probability.sum() + missing_pairs)
    selected = np.zeros(len(probability), dtype=bool)
    if len(order):
        selected[order[: int(np.argmax(expected_f1)) + 1]] = True
    return selected


def expected_f1(probability: Floats, selected: npt.NDArray[np.bool_], missing_pairs: float = 0.0) -> float:
    """Expected F1 of a set of pairs; 0.0 if nothing is expected and nothing selected.

    Args:
        probability: (n,) of at least one purchase in the period.
        selected: (n,) mask of the set.
        missing_pairs: expected number of purchased pairs that are no candidates.
    """
    size = selected.sum() + probability.sum() + missing_pairs
    return float(2 * probability[selected].sum() / size) if size else 0.0


def rank_within_customer(customer_id: pd.Series, product_id: pd.Series, score: pd.Series) -> pd.Series:
    """Rank of each pair in its customer's list, 1 = best; ties go to the smaller product_id.

    Args:
        customer_id, product_id, score: (n,) with one common index.

    Returns:
        (n,) int32 on the same index.
    """
    pairs = pd.DataFrame({"customer_id": customer_id, "product_id": product_id, "score": score})
    ordered = pairs.sort_values(["customer_id", "score", "product_id"], ascending=[True, False, True])
    ranks: pd.Series = ordered.groupby("customer_id").cumcount().add(1).astype("int32")
    return ranks.reindex(pairs.index)
