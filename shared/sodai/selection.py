"""The predicted purchase set and the order of a list: every stage that speaks of them must agree."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


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


def expected_missing_pairs(probability: Floats, missing_share: float) -> float:
    """Expected number of purchased pairs that are no candidates.

    Args:
        probability: (n,) of at least one purchase in the period, of every candidate.
        missing_share: part of the purchased pairs of past periods that were no candidates, 0 to
            less than 1.
    """
    return float(probability.sum()) * missing_share / (1 - missing_share)


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
