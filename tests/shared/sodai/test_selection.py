"""The predicted set and the order of a list."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sodai.selection import expected_f1, expected_f1_set, expected_missing_pairs, rank_within_customer

probabilities = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=7).map(np.array)
missing = st.floats(0, 3)


def test_the_set_of_a_worked_example() -> None:
    # 2*.9/(1+1.6) = .692, 2*1.5/(2+1.6) = .833, 2*1.6/(3+1.6) = .696
    assert expected_f1_set(np.array([0.1, 0.9, 0.6])).tolist() == [False, True, True]
    assert expected_f1(np.array([0.1, 0.9, 0.6]), np.array([False, True, True])) == pytest.approx(3 / 3.6)


@given(probabilities, missing)
def test_no_other_set_has_a_larger_expected_f1(probability: np.ndarray, missing_pairs: float) -> None:
    chosen = expected_f1_set(probability, missing_pairs)

    def value(members: tuple[int, ...]) -> float:
        mask = np.isin(np.arange(len(probability)), members)
        return expected_f1(probability, mask, missing_pairs)

    every_set = [
        members
        for size in range(len(probability) + 1)
        for members in combinations(range(len(probability)), size)
    ]
    best = max(value(members) for members in every_set)
    assert expected_f1(probability, chosen, missing_pairs) == pytest.approx(best)


@given(probabilities, missing)
def test_pairs_outside_the_set_are_no_likelier_than_those_inside(
    probability: np.ndarray, missing_pairs: float
) -> None:
    chosen = expected_f1_set(probability, missing_pairs)
    assert probability[chosen].min() >= probability[~chosen].max(initial=0.0)


def test_purchases_outside_the_candidates_make_the_set_larger() -> None:
    probability = np.array([0.9, 0.5, 0.35])
    assert expected_f1_set(probability).sum() == 2
    assert expected_f1_set(probability, missing_pairs=3.0).sum() == 3


def test_no_candidates_make_an_empty_set_with_an_f1_of_zero() -> None:
    nothing = np.array([])
    assert expected_f1_set(nothing).tolist() == []
    assert expected_f1(nothing, expected_f1_set(nothing)) == 0.0


def test_the_missing_share_is_of_all_purchases_and_not_of_the_candidates() -> None:
    # 93 of 100 expected purchases are candidates, so 7 are not.
    assert expected_missing_pairs(np.array([60.0, 33.0]), 0.07) == pytest.approx(7.0)


def test_ranks_count_from_the_best_and_ties_go_to_the_smaller_product() -> None:
    pairs = pd.DataFrame(
        {
            "customer_id": [1, 1, 1, 2],
            "product_id": [30, 20, 10, 10],
            "score": [0.5, 0.5, 0.9, 0.1],
        },
        index=[7, 3, 5, 1],
    )
    ranks = rank_within_customer(pairs["customer_id"], pairs["product_id"], pairs["score"])
    assert ranks.to_dict() == {7: 3, 3: 2, 5: 1, 1: 1}


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50), st.floats(0, 1)), unique_by=lambda row: row[:2])
)
def test_ranks_are_a_permutation_for_each_customer(rows: list[tuple[int, int, float]]) -> None:
    pairs = pd.DataFrame(rows, columns=["customer_id", "product_id", "score"])
    pairs["rank"] = rank_within_customer(pairs["customer_id"], pairs["product_id"], pairs["score"])
    for _, own in pairs.groupby("customer_id"):
        assert sorted(own["rank"]) == list(range(1, len(own) + 1))
        assert own.sort_values("rank")["score"].is_monotonic_decreasing
