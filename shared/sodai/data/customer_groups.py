"""Rows ordered or ranked by customer."""

import numpy as np
import numpy.typing as npt


def rank_within_customer(
    customer_id: npt.ArrayLike, product_id: npt.ArrayLike, score: npt.ArrayLike
) -> npt.NDArray[np.int32]:
    """Rank of each pair in its customer's list, 1 = best; ties go to the smaller product_id.

    Args:
        customer_id, product_id, score: (n,) in any order.

    Returns:
        (n,) in the order of the pairs.
    """
    customers = np.asarray(customer_id)
    order = np.lexsort((np.asarray(product_id), -np.asarray(score), customers))
    place = np.arange(len(order))
    begins = np.diff(customers[order], prepend=customers[order][:1] - 1) != 0
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = place - np.maximum.accumulate(np.where(begins, place, 0)) + 1
    return rank


def starts_of(customer_id: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each customer begins in rows that are ordered by customer, or each list in rows of lists."""
    return np.flatnonzero(np.diff(customer_id, prepend=customer_id[:1] - 1))
