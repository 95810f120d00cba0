"""The metrics of a model and of a baseline on a closed period, worked out by hand on small tables."""

import numpy as np
import pandas as pd
import pytest

from evaluate_model.core_metrics import (
    baseline_metrics,
    calibration_bins,
    discrimination_metrics,
    model_metrics,
    ndcg_by_customer,
    rank_candidates,
)

PAIRS = pd.DataFrame(
    {"customer_id": [1, 1, 1, 2, 2], "product_id": [11, 12, 13, 11, 12], "target": [1, 0, 1, 0, 1]}
)
PROBABILITY = np.array([0.9, 0.6, 0.3, 0.2, 0.1])
# The last pair was bought but was no candidate.
TRUTH = pd.DataFrame({"customer_id": [1, 1, 2, 3], "product_id": [11, 13, 12, 11]})
SECOND = 1 / np.log2(3)


@pytest.fixture
def ranked() -> pd.DataFrame:
    return rank_candidates(PAIRS, PROBABILITY)


def test_candidates_are_ranked_within_each_customer_and_ties_go_to_the_smaller_product() -> None:
    assert rank_candidates(PAIRS, PROBABILITY)["rank"].tolist() == [1, 2, 3, 1, 2]
    assert rank_candidates(PAIRS, np.full(5, 0.5))["rank"].tolist() == [1, 2, 3, 1, 2]
    assert rank_candidates(PAIRS, PROBABILITY[::-1])["rank"].tolist() == [3, 2, 1, 2, 1]


def test_the_lists_of_a_model_count_every_customer_who_bought(ranked: pd.DataFrame) -> None:
    metrics = model_metrics(ranked, TRUTH, 0.0, (1, 2))
    # Customer 1 has 11 first and 13 third, customer 2 has 12 second, customer 3 has no list.
    assert metrics["recall_at_1"] == pytest.approx((1 / 2 + 0 + 0) / 3, abs=1e-6)
    assert metrics["recall_at_2"] == pytest.approx((1 / 2 + 1 + 0) / 3, abs=1e-6)
    assert metrics["precision_at_2"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3, abs=1e-6)
    assert metrics["hit_rate_at_2"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["f1_at_2"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3, abs=1e-6)
    assert metrics["ndcg_at_2"] == pytest.approx((1 / (1 + SECOND) + SECOND + 0) / 3, abs=1e-6)


def test_the_order_of_all_candidates_gives_auc_and_average_precision(ranked: pd.DataFrame) -> None:
    metrics = model_metrics(ranked, TRUTH, 0.0, (1,))
    # The bought ones are 1st, 3rd and 5th; of six pairs of one bought and one not, 2 + 1 + 0 are in order.
    assert metrics["roc_auc"] == pytest.approx(3 / 6, abs=1e-6)
    assert metrics["average_precision"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3, abs=1e-6)


def test_the_purchase_set_maximises_expected_f1_and_is_compared_with_all_purchases(
    ranked: pd.DataFrame,
) -> None:
    metrics = model_metrics(ranked, TRUTH, 0.0, (1,))
    # Expected F1 of the best one, two, three: 1.8 / 3.1, 3.0 / 4.1, 3.6 / 5.1.
    assert metrics["n_predicted"] == 2
    assert metrics["expected_set_f1"] == pytest.approx(3.0 / 4.1, abs=1e-6)
    assert metrics["n_bought"] == 4
    assert metrics["set_precision"] == pytest.approx(1 / 2, abs=1e-6)
    assert metrics["set_recall"] == pytest.approx(1 / 4, abs=1e-6)
    assert metrics["set_f1"] == pytest.approx(2 / 6, abs=1e-6)


def test_purchases_expected_outside_the_candidates_count_in_demand_and_expected_f1(
    ranked: pd.DataFrame,
) -> None:
    metrics = model_metrics(ranked, TRUTH, 0.7, (1,))
    # 2.1 are expected among the candidates.
    assert metrics["expected_pairs"] == pytest.approx(2.8, abs=1e-6)
    assert metrics["n_predicted"] == 2
    assert metrics["expected_set_f1"] == pytest.approx(3.0 / 4.8, abs=1e-6)


def test_the_calibration_error_is_the_mean_gap_between_probability_and_what_was_bought(
    ranked: pd.DataFrame,
) -> None:
    # Five rows in ten quantiles: each has its own bin.
    metrics = model_metrics(ranked, TRUTH, 0.0, (1,))
    assert metrics["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.7 + 0.2 + 0.9) / 5, abs=1e-6)
    assert calibration_bins(ranked)[0] == {"n_rows": 1.0, "mean_probability": 0.1, "realised_share": 1.0}


@pytest.mark.parametrize("target", [0, 1])
def test_a_period_of_one_class_has_neither_auc_nor_average_precision(target: int) -> None:
    assert discrimination_metrics(np.full(5, target), PROBABILITY) == {}
    metrics = model_metrics(rank_candidates(PAIRS.assign(target=target), PROBABILITY), TRUTH, 0.0, (1,))
    assert "roc_auc" not in metrics
    assert metrics["set_f1"] == pytest.approx(2 / 6, abs=1e-6)


def test_a_period_without_a_purchase_has_metrics_of_zero(ranked: pd.DataFrame) -> None:
    metrics = model_metrics(ranked.assign(target=0), TRUTH[:0], 0.0, (5,))
    assert (metrics["recall_at_5"], metrics["ndcg_at_5"], metrics["set_f1"]) == (0.0, 0.0, 0.0)
    assert ndcg_by_customer(ranked, TRUTH[:0], 5).empty


def test_ndcg_by_customer_has_one_value_for_each_customer_who_bought(ranked: pd.DataFrame) -> None:
    ndcg = ndcg_by_customer(ranked, TRUTH, 2)
    assert ndcg.index.tolist() == [1, 2, 3]
    assert ndcg.tolist() == pytest.approx([1 / (1 + SECOND), SECOND, 0.0])


def test_a_baseline_is_measured_by_its_own_list_and_purchase_set(ranked: pd.DataFrame) -> None:
    metrics = baseline_metrics(ranked[["customer_id", "product_id", "rank"]], TRUTH[:2], TRUTH, (1,))
    assert metrics["recall_at_1"] == pytest.approx((1 / 2 + 0 + 0) / 3, abs=1e-6)
    assert (metrics["set_precision"], metrics["set_recall"]) == (1.0, 0.5)
    assert metrics["set_f1"] == pytest.approx(4 / 6, abs=1e-6)
