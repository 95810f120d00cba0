"""The sample of candidates, worked out by hand."""

import numpy as np

from analyze_interpretability.core_sample import candidates_per_customer, sample_candidates


def sampled(customer_id: list[int], per_customer: float) -> np.ndarray:
    """Return the customers of the sampled candidates."""
    owners = np.array(customer_id)
    return owners[sample_candidates(owners, per_customer, np.random.default_rng(0))]


def test_few_candidates_are_all_sampled() -> None:
    assert candidates_per_customer(n_candidates=12, n_customers=3, max_rows=12) == np.inf
    assert sampled([1, 1, 2], np.inf).tolist() == [1, 1, 2]


def test_a_sample_takes_the_same_number_from_every_customer() -> None:
    assert candidates_per_customer(n_candidates=650, n_customers=4, max_rows=43) == 10
    owners = [0] * 50 + [1] * 50 + [2] * 50 + [9] * 500
    assert sampled(owners, 10).tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [9] * 10


def test_a_sample_takes_a_share_of_the_customers_if_there_are_more_than_rows() -> None:
    assert candidates_per_customer(n_candidates=150_000, n_customers=30_000, max_rows=3_000) == 0.1
    owners = sampled(list(np.repeat(np.arange(30_000), 5)), 0.1)
    assert 2_700 < len(owners) < 3_300
    assert len(set(owners)) == len(owners)


def test_the_sampled_candidate_has_another_position_for_each_customer() -> None:
    mask = sample_candidates(np.repeat(np.arange(100), 10), 1, np.random.default_rng(0))
    positions = np.flatnonzero(mask)
    assert len(positions) == 100
    assert set(positions % 10) == set(range(10))
