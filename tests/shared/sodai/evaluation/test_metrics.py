"""Metrics against values worked out by hand."""

from math import log2

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from sodai.data.customer_groups import rank_within_customer
from sodai.evaluation.metrics import (
    calibration_error,
    calibration_table,
    customer_metrics,
    mean_ndcg_of_lists,
    ranking_metrics,
    rounded,
    set_metrics,
)

PAIR = ["customer_id", "product_id"]


def pairs(**bought: list[int]) -> pd.DataFrame:
    """Return pairs from `c1=[7, 8]`: customer 1 with the products 7 and 8, ranked in that order."""
    rows = [
        (int(customer[1:]), product, rank)
        for customer, products in bought.items()
        for rank, product in enumerate(products, start=1)
    ]
    return pd.DataFrame(rows, columns=[*PAIR, "rank"]).astype("int64")


def test_a_list_of_three_by_hand() -> None:
    # Bought: 7 and 9. Ranked: 7 (hit), 8, 9 (hit), 5.
    own = customer_metrics(pairs(c1=[7, 8, 9, 5]), pairs(c1=[9, 7]), ks=(2, 3)).loc[1]

    assert own["recall_at_2"] == 1 / 2
    assert own["precision_at_2"] == 1 / 2
    assert own["f1_at_2"] == 1 / 2
    assert own["ndcg_at_2"] == pytest.approx(1 / (1 + 1 / log2(3)))
    assert own["recall_at_3"] == 1.0
    assert own["precision_at_3"] == pytest.approx(2 / 3)
    assert own["f1_at_3"] == pytest.approx(4 / 5)
    assert own["ndcg_at_3"] == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3)))
    assert own["hit_rate_at_2"] == own["hit_rate_at_3"] == 1.0


def test_the_ideal_list_is_no_longer_than_k() -> None:
    own = customer_metrics(pairs(c1=[1, 2]), pairs(c1=[1, 2, 3, 4]), ks=(2, 3)).loc[1]
    assert own["ndcg_at_2"] == pytest.approx(1.0)
    assert own["recall_at_2"] == 1 / 2


def test_a_buying_customer_without_predictions_counts_as_zero() -> None:
    ranked, truth = pairs(c1=[7]), pairs(c1=[7], c2=[7], c3=[8, 9])

    by_customer = customer_metrics(ranked, truth, ks=(5,))
    assert by_customer.index.tolist() == [1, 2, 3]
    assert (by_customer.loc[[2, 3]] == 0).all(axis=None)
    means = ranking_metrics(ranked, truth, ks=(5,))
    assert means == pytest.approx(
        {
            "recall_at_5": 1 / 3,
            "precision_at_5": (1 / 5) / 3,
            "ndcg_at_5": 1 / 3,
            "f1_at_5": (2 / 6) / 3,
            "hit_rate_at_5": 1 / 3,
        }
    )


def test_a_customer_who_bought_nothing_is_ignored() -> None:
    truth = pairs(c1=[7])
    assert ranking_metrics(pairs(c1=[7], c2=[7, 8]), truth) == ranking_metrics(pairs(c1=[7]), truth)


def test_products_of_another_customer_are_no_hits() -> None:
    assert ranking_metrics(pairs(c1=[8], c2=[7]), pairs(c1=[7], c2=[8]), ks=(1,))["hit_rate_at_1"] == 0.0


def test_ranks_beyond_k_are_no_hits() -> None:
    means = ranking_metrics(pairs(c1=[1, 2, 3, 4, 5, 6]), pairs(c1=[6]), ks=(5, 10))
    assert means["hit_rate_at_5"] == means["recall_at_5"] == means["ndcg_at_5"] == 0.0
    assert means["hit_rate_at_10"] == means["recall_at_10"] == 1.0
    assert means["ndcg_at_10"] == pytest.approx(1 / log2(7))


def test_without_a_purchase_every_ranking_metric_is_zero() -> None:
    means = ranking_metrics(pairs(c1=[7]), pairs())
    assert set(means) == {
        f"{name}_at_{k}" for name in ("recall", "precision", "ndcg", "f1", "hit_rate") for k in (5, 10)
    }
    assert set(means.values()) == {0.0}


def test_without_a_ranking_every_ranking_metric_is_zero() -> None:
    assert set(ranking_metrics(pairs(), pairs(c1=[7], c2=[8])).values()) == {0.0}


def test_the_order_of_the_rows_changes_no_ranking_metric() -> None:
    ranked, truth = pairs(c1=[7, 8, 9], c2=[9, 7]), pairs(c2=[7], c1=[9, 8])
    assert ranking_metrics(ranked[::-1], truth[::-1]) == ranking_metrics(ranked, truth)


def test_ndcg_of_a_worked_example() -> None:
    # First list: the 1st and the 3rd of three were bought; second: the 2nd; third: nothing.
    y = np.array([1, 0, 1, 0, 1, 0, 0], np.int8)
    score = np.array([0.9, 0.5, 0.1, 0.8, 0.2, 0.7, 0.3])
    group = np.array([1, 1, 1, 4, 4, 9, 9])
    second, third = 1 / np.log2(3), 1 / 2
    assert mean_ndcg_of_lists(y, score, group) == pytest.approx(((1 + third) / (1 + second) + second) / 2)


LISTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=80).filter(
    lambda rows: any(bought for _, bought in rows)
)


@given(LISTS, st.integers(0, 1000))
def test_ndcg_is_that_of_scikit_learn(rows: list[tuple[int, int]], seed: int) -> None:
    table = pd.DataFrame(sorted(rows, key=lambda row: row[0]), columns=["group", "y"])
    # All scores differ, because scikit-learn averages over ties.
    table["score"] = np.random.default_rng(seed).permutation(len(rows)) / 7 - 3
    expected = []
    for _, own in table.groupby("group"):
        if own["y"].any():
            # scikit-learn refuses a list of one; a last product that was not bought changes no value.
            y, score = np.append(own["y"], 0), np.append(own["score"], -100.0)
            expected.append(ndcg_score([y], [score], k=10))
    ndcg = mean_ndcg_of_lists(
        table["y"].to_numpy(np.int8), table["score"].to_numpy(), table["group"].to_numpy()
    )
    assert ndcg == pytest.approx(np.mean(expected))


@given(LISTS, st.integers(0, 3))
def test_both_forms_of_ndcg_agree(rows: list[tuple[int, int]], n_scores: int) -> None:
    table = pd.DataFrame(sorted(rows, key=lambda row: row[0]), columns=["customer_id", "target"])
    # Few different scores: ties are ranked by product, which is the order of the rows.
    table["product_id"], table["score"] = np.arange(len(table)), np.arange(len(table)) % (n_scores + 1)
    rank = rank_within_customer(table["customer_id"], table["product_id"], table["score"])
    truth = table.loc[table["target"] == 1, PAIR]
    arrays = (table[name].to_numpy() for name in ("target", "score", "customer_id"))
    expected = ranking_metrics(table.assign(rank=rank), truth, ks=(10,))["ndcg_at_10"]
    assert mean_ndcg_of_lists(*arrays) == pytest.approx(expected, rel=1e-12)


def test_a_predicted_set_by_hand() -> None:
    # Three predicted, four bought, two of them the same.
    assert set_metrics(pairs(c1=[7, 8], c2=[9]), pairs(c1=[7], c2=[9, 8], c3=[7])) == pytest.approx(
        {"set_precision": 2 / 3, "set_recall": 2 / 4, "set_f1": 4 / 7, "n_predicted": 3, "n_bought": 4}
    )


def test_the_empty_cases_of_a_set_are_zero() -> None:
    empty, one = pairs(), pairs(c1=[7])
    zeros = {"set_precision": 0.0, "set_recall": 0.0, "set_f1": 0.0}
    assert set_metrics(empty, one) == {**zeros, "n_predicted": 0.0, "n_bought": 1.0}
    assert set_metrics(one, empty) == {**zeros, "n_predicted": 1.0, "n_bought": 0.0}
    assert set_metrics(empty, empty) == {**zeros, "n_predicted": 0.0, "n_bought": 0.0}


def test_calibration_by_hand() -> None:
    # Two halves: 0.2 predicted and 1 of 4 bought; 0.6 predicted and 4 of 4 bought.
    y_score = np.array([0.2] * 4 + [0.6] * 4)
    y_true = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])

    table = calibration_table(y_true, y_score)
    assert table["n_rows"].tolist() == [4, 4]
    assert table["mean_probability"].tolist() == pytest.approx([0.2, 0.6])
    assert table["realised_share"].tolist() == [0.25, 1.0]
    assert calibration_error(y_true, y_score) == pytest.approx((0.05 + 0.4) / 2)


def test_bins_of_calibration_are_weighted_by_their_rows() -> None:
    # Nothing was bought: a gap of 0.1 in nine rows, of 0.9 in one.
    y_score, y_true = np.array([0.1] * 9 + [0.9]), np.zeros(10)
    assert calibration_error(y_true, y_score) == pytest.approx((9 * 0.1 + 1 * 0.9) / 10)


def test_ten_bins_have_a_tenth_of_the_rows_each_in_ascending_order() -> None:
    y_score = np.random.default_rng(0).permutation(np.linspace(0.01, 1, 100))
    table = calibration_table((y_score > 0.5).astype(float), y_score)
    assert table["n_rows"].tolist() == [10] * 10
    assert table["mean_probability"].is_monotonic_increasing
    assert table["realised_share"].tolist() == [0.0] * 5 + [1.0] * 5


def test_equal_probabilities_are_one_bin() -> None:
    table = calibration_table(np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5]))
    assert table["n_rows"].tolist() == [3]
    assert calibration_error(np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5])) == pytest.approx(1 / 6)


def test_figures_are_rounded_to_plain_numbers() -> None:
    figures = rounded({"set_f1": np.float64(2 / 3), "n_bought": 4}, digits=3)
    assert figures == {"set_f1": 0.667, "n_bought": 4.0}
    assert {type(value) for value in figures.values()} == {float}
