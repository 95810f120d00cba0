"""The sample of candidates behind the global figures: equally many of each customer."""

import numpy as np
import numpy.typing as npt

from sodai.data.customer_groups import group_starts, rank_within_customer


def candidates_per_customer(n_candidates: int, n_customers: int, max_rows: int) -> float:
    """Return how many candidates of each customer are sampled.

    Infinity, which means all, if there are at most `max_rows` candidates. A number below 1 is a share of the
    customers, each of them with one candidate.
    """
    if n_candidates <= max_rows:
        return float("inf")
    # The same number for every customer, so that those with more candidates do not weigh more.
    return max_rows // n_customers or max_rows / n_customers


def sample_candidates(
    customer_id: npt.NDArray[np.int64], per_customer: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return the (n,) mask of the candidates that are sampled.

    Args:
        customer_id: (n,) of whole customers, in order.
        per_customer: from `candidates_per_customer`.
        rng: for the draw.
    """
    order = rng.random(len(customer_id))
    mask = rank_within_customer(customer_id, order, -order) <= max(1.0, per_customer)
    if per_customer < 1:
        starts = group_starts(customer_id)
        is_sampled = rng.random(len(starts)) < per_customer
        mask &= np.repeat(is_sampled, np.diff(starts, append=len(customer_id)))
    return np.asarray(mask)
