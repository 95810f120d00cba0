"""Probabilities at the expected demand, the purchase set and the order of a list."""

from itertools import combinations
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sodai.data.customer_groups import rank_within_customer
from sodai.evaluation.purchase_set import (
    expected_f1,
    expected_f1_set,
    expected_f1_threshold,
    probabilities,
    probabilities_at_demand,
    shift_to_demand,
)

probability_lists = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=7).map(np.array)
missing = st.floats(0, 3)
# Models clip calibrated log-odds at 30 either way.
log_odds_of_pairs = st.lists(st.floats(-30, 30), min_size=1, max_size=60).map(np.array)


def test_the_demand_of_a_worked_example() -> None:
    # Odds of 1 and 3 divided by 3 are 1/3 and 1, which are probabilities of 1/4 and 1/2.
    assert probabilities_at_demand(np.log([1.0, 3.0]), 0.75) == pytest.approx([0.25, 0.5])


@given(log_odds_of_pairs, st.floats(0.001, 0.999))
def test_probabilities_add_up_to_the_forecast(log_odds: np.ndarray, share: float) -> None:
    expected_pairs = share * len(log_odds)
    probability = probabilities_at_demand(log_odds, expected_pairs)
    assert probability.sum() == pytest.approx(expected_pairs, abs=1e-6)
    assert ((probability > 0) & (probability <= 1)).all()


@given(log_odds_of_pairs, st.floats(0, 70))
def test_the_demand_keeps_the_order_of_the_pairs(log_odds: np.ndarray, expected_pairs: float) -> None:
    probability = probabilities_at_demand(log_odds, expected_pairs)
    assert (np.diff(probability[np.argsort(log_odds)]) >= 0).all()
    equal = log_odds == log_odds[0]
    assert len(set(probability[equal])) == 1


@given(log_odds_of_pairs, st.floats(-5, 5), st.floats(0.01, 0.99))
def test_only_differences_of_log_odds_count(log_odds: np.ndarray, by: float, share: float) -> None:
    expected_pairs = share * len(log_odds)
    np.testing.assert_allclose(
        probabilities_at_demand(log_odds + by, expected_pairs),
        probabilities_at_demand(log_odds, expected_pairs),
        atol=1e-8,
    )


@given(log_odds_of_pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_probability(log_odds: np.ndarray, random: Random) -> None:
    order = np.array(random.sample(range(len(log_odds)), len(log_odds)))
    expected_pairs = 0.3 * len(log_odds)
    np.testing.assert_allclose(
        probabilities_at_demand(log_odds[order], expected_pairs),
        probabilities_at_demand(log_odds, expected_pairs)[order],
        atol=1e-8,
    )


@pytest.mark.parametrize("expected_pairs", [0.0, -4.0])
def test_a_demand_of_nothing_is_almost_none_and_keeps_the_order(expected_pairs: float) -> None:
    probability = probabilities_at_demand(np.array([3.0, -2.0, 0.5]), expected_pairs)
    assert probability.sum() == pytest.approx(3e-6, rel=1e-3)
    assert np.argsort(probability).tolist() == [1, 2, 0]


@pytest.mark.parametrize("expected_pairs", [3.0, 50.0])
def test_a_demand_of_all_pairs_or_more_is_almost_all_and_keeps_the_order(expected_pairs: float) -> None:
    probability = probabilities_at_demand(np.array([3.0, -2.0, 0.5]), expected_pairs)
    assert probability.sum() == pytest.approx(3 - 3e-6, abs=1e-6)
    assert np.argsort(probability).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("log_odds", "expected_pairs"), [([0.0, 1.0], np.nan), ([0.0, np.nan], 1.0), ([], np.nan)]
)
def test_nan_is_refused(log_odds: list[float], expected_pairs: float) -> None:
    with pytest.raises(ValueError, match=r"found \d NaN among \d log-odds .*, expected numbers"):
        probabilities_at_demand(np.array(log_odds), expected_pairs)


@pytest.mark.parametrize("expected_pairs", [0.0, 7.0])
def test_without_pairs_there_are_no_probabilities_whatever_the_demand(expected_pairs: float) -> None:
    assert probabilities_at_demand(np.array([]), expected_pairs).tolist() == []


@given(log_odds_of_pairs, st.floats(0.001, 0.999), st.integers(1, 7))
def test_the_shift_and_the_set_are_the_same_in_blocks(
    log_odds: np.ndarray, share: float, n_rows: int
) -> None:
    def blocks() -> list[np.ndarray]:
        return [log_odds[start : start + n_rows] for start in range(0, len(log_odds), n_rows)]

    expected_pairs = share * len(log_odds)
    probability = probabilities(log_odds, shift_to_demand(blocks, expected_pairs))
    np.testing.assert_allclose(probability, probabilities_at_demand(log_odds, expected_pairs), atol=1e-9)
    threshold = expected_f1_threshold(lambda: (probabilities(block) for block in blocks()), 0.5)
    selected = expected_f1_set(probabilities(log_odds), 0.5)
    assert expected_f1(probabilities(log_odds), probabilities(log_odds) > threshold, 0.5) == pytest.approx(
        expected_f1(probabilities(log_odds), selected, 0.5)
    )


def test_the_set_of_a_worked_example() -> None:
    # 2*.9/(1+1.6) = .692, 2*1.5/(2+1.6) = .833, 2*1.6/(3+1.6) = .696
    assert expected_f1_set(np.array([0.1, 0.9, 0.6])).tolist() == [False, True, True]
    assert expected_f1(np.array([0.1, 0.9, 0.6]), np.array([False, True, True])) == pytest.approx(3 / 3.6)


@given(probability_lists, missing)
def test_no_other_set_has_a_larger_expected_f1(probability: np.ndarray, missing_pairs: float) -> None:
    selected = expected_f1_set(probability, missing_pairs)

    def value(members: tuple[int, ...]) -> float:
        mask = np.isin(np.arange(len(probability)), members)
        return expected_f1(probability, mask, missing_pairs)

    every_set = [
        members
        for size in range(len(probability) + 1)
        for members in combinations(range(len(probability)), size)
    ]
    best = max(value(members) for members in every_set)
    assert expected_f1(probability, selected, missing_pairs) == pytest.approx(best)


@given(probability_lists, missing)
def test_pairs_outside_the_set_are_no_likelier_than_those_inside(
    probability: np.ndarray, missing_pairs: float
) -> None:
    selected = expected_f1_set(probability, missing_pairs)
    assert probability[selected].min() >= probability[~selected].max(initial=0.0)


def test_the_threshold_of_a_worked_example_is_half_of_the_best_f1() -> None:
    # All three have an F1 of 2 * 1.6 / 4.6, whose half .1 is below; the two others of 2 * 1.5 / 3.6.
    assert expected_f1_threshold(lambda: [np.array([0.1, 0.9]), np.array([0.6])]) == pytest.approx(1.5 / 3.6)


def test_purchases_outside_the_candidates_make_the_set_larger() -> None:
    probability = np.array([0.9, 0.5, 0.35])
    assert expected_f1_set(probability).sum() == 2
    assert expected_f1_set(probability, missing_pairs=3.0).sum() == 3


def test_without_candidates_the_set_is_empty_and_its_f1_zero() -> None:
    empty = np.array([])
    assert expected_f1_set(empty).tolist() == []
    assert expected_f1(empty, expected_f1_set(empty)) == 0.0


def test_ranks_count_from_the_best_and_ties_go_to_the_smaller_product() -> None:
    pairs = pd.DataFrame(
        {
            "customer_id": [1, 1, 1, 2],
            "product_id": [30, 20, 10, 10],
            "score": [0.5, 0.5, 0.9, 0.1],
        }
    )
    ranks = rank_within_customer(pairs["customer_id"], pairs["product_id"], pairs["score"])
    assert ranks.tolist() == [3, 2, 1, 1]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50), st.floats(0, 1)), unique_by=lambda row: row[:2])
)
def test_ranks_are_a_permutation_for_each_customer(rows: list[tuple[int, int, float]]) -> None:
    pairs = pd.DataFrame(rows, columns=["customer_id", "product_id", "score"])
    pairs["rank"] = rank_within_customer(pairs["customer_id"], pairs["product_id"], pairs["score"])
    for _, own in pairs.groupby("customer_id"):
        assert sorted(own["rank"]) == list(range(1, len(own) + 1))
        assert own.sort_values("rank")["score"].is_monotonic_decreasing
