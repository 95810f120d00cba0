"""Rows ordered or ranked by customer."""

import numpy as np
import numpy.typing as npt


def rank_within_customer(
    customer_id: npt.ArrayLike, product_id: npt.ArrayLike, score: npt.ArrayLike
) -> npt.NDArray[np.int32]:
    """Return the rank of each pair in its customer's list, 1 = best; ties go to the smaller product_id.

    Args:
        customer_id, product_id, score: (n,) in any order.

    Returns:
        (n,) in the order of the pairs.
    """
    customers = np.asarray(customer_id)
    order = np.lexsort((np.asarray(product_id), -np.asarray(score), customers))
    position = np.arange(len(order))
    is_start = np.diff(customers[order], prepend=customers[order][:1] - 1) != 0
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = position - np.maximum.accumulate(np.where(is_start, position, 0)) + 1
    return rank


def group_starts(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the position of each group's first row.

    Args:
        group: (n,) customer or list of each row; rows of one group are adjacent.
    """
    return np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
