"""The figures of a model and of a rule on a closed period, on tables small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from evaluate_model.core import (
    baseline_figures,
    by_customer,
    calibration_rows,
    discrimination,
    model_figures,
    score_frame,
)

PAIRS = pd.DataFrame(
    {"customer_id": [1, 1, 1, 2, 2], "product_id": [11, 12, 13, 11, 12], "target": [1, 0, 1, 0, 1]}
)
PROBABILITY = np.array([0.9, 0.6, 0.3, 0.2, 0.1])
# The last pair was bought but was no candidate.
TRUTH = pd.DataFrame({"customer_id": [1, 1, 2, 3], "product_id": [11, 13, 12, 11]})
SECOND = 1 / np.log2(3)


@pytest.fixture
def scored() -> pd.DataFrame:
    return score_frame(PAIRS, PROBABILITY)


def test_a_score_frame_ranks_within_each_customer_and_ties_go_to_the_smaller_product() -> None:
    assert score_frame(PAIRS, PROBABILITY)["rank"].tolist() == [1, 2, 3, 1, 2]
    assert score_frame(PAIRS, np.full(5, 0.5))["rank"].tolist() == [1, 2, 3, 1, 2]
    assert score_frame(PAIRS, PROBABILITY[::-1])["rank"].tolist() == [3, 2, 1, 2, 1]


def test_the_lists_of_a_model_count_every_customer_who_bought(scored: pd.DataFrame) -> None:
    figures = model_figures(scored, TRUTH, 0.0, (1, 2))
    # Customer 1 has 11 first and 13 third, customer 2 has 12 second, customer 3 has no list.
    assert figures["recall_at_1"] == pytest.approx((1 / 2 + 0 + 0) / 3, abs=1e-6)
    assert figures["recall_at_2"] == pytest.approx((1 / 2 + 1 + 0) / 3, abs=1e-6)
    assert figures["precision_at_2"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3, abs=1e-6)
    assert figures["hit_rate_at_2"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["f1_at_2"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3, abs=1e-6)
    assert figures["ndcg_at_2"] == pytest.approx((1 / (1 + SECOND) + SECOND + 0) / 3, abs=1e-6)


def test_the_order_of_all_candidates_gives_auc_and_average_precision(scored: pd.DataFrame) -> None:
    figures = model_figures(scored, TRUTH, 0.0, (1,))
    # Bought stand 1st, 3rd and 5th; of the six pairs of bought and not, 2 + 1 + 0 are in order.
    assert figures["roc_auc"] == pytest.approx(3 / 6, abs=1e-6)
    assert figures["average_precision"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3, abs=1e-6)


def test_the_predicted_set_maximises_expected_f1_and_is_held_against_all_purchases(
    scored: pd.DataFrame,
) -> None:
    figures = model_figures(scored, TRUTH, 0.0, (1,))
    # Expected F1 of the best one, two, three: 1.8 / 3.1, 3.0 / 4.1, 3.6 / 5.1.
    assert figures["n_predicted"] == 2
    assert figures["expected_set_f1"] == pytest.approx(3.0 / 4.1, abs=1e-6)
    assert figures["n_bought"] == 4
    assert figures["set_precision"] == pytest.approx(1 / 2, abs=1e-6)
    assert figures["set_recall"] == pytest.approx(1 / 4, abs=1e-6)
    assert figures["set_f1"] == pytest.approx(2 / 6, abs=1e-6)


def test_purchases_expected_outside_the_candidates_count_into_volume_and_set(scored: pd.DataFrame) -> None:
    figures = model_figures(scored, TRUTH, 0.7, (1,))
    # 2.1 are expected among the candidates.
    assert figures["expected_pairs"] == pytest.approx(2.8, abs=1e-6)
    assert figures["n_predicted"] == 2
    assert figures["expected_set_f1"] == pytest.approx(3.0 / 4.8, abs=1e-6)


def test_the_calibration_error_is_the_mean_gap_between_probability_and_what_was_bought(
    scored: pd.DataFrame,
) -> None:
    # Five rows in ten quantiles: each stands alone.
    figures = model_figures(scored, TRUTH, 0.0, (1,))
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.7 + 0.2 + 0.9) / 5, abs=1e-6)
    assert calibration_rows(scored)[0] == {"n_rows": 1.0, "mean_probability": 0.1, "realised_share": 1.0}


@pytest.mark.parametrize("target", [0, 1])
def test_a_period_of_one_class_has_neither_auc_nor_average_precision(target: int) -> None:
    assert discrimination(np.full(5, target), PROBABILITY) == {}
    figures = model_figures(score_frame(PAIRS.assign(target=target), PROBABILITY), TRUTH, 0.0, (1,))
    assert "roc_auc" not in figures
    assert figures["set_f1"] == pytest.approx(2 / 6, abs=1e-6)


def test_a_period_in_which_nobody_bought_has_figures_of_zero(scored: pd.DataFrame) -> None:
    figures = model_figures(scored.assign(target=0), TRUTH[:0], 0.0, (5,))
    assert (figures["recall_at_5"], figures["ndcg_at_5"], figures["set_f1"]) == (0.0, 0.0, 0.0)
    assert by_customer(scored, TRUTH[:0], 5).empty


def test_ndcg_by_customer_has_one_value_for_everyone_who_bought(scored: pd.DataFrame) -> None:
    found = by_customer(scored, TRUTH, 2)
    assert found.index.tolist() == [1, 2, 3]
    assert found.tolist() == pytest.approx([1 / (1 + SECOND), SECOND, 0.0])


def test_a_rule_is_held_against_the_truth_by_its_own_list_and_set(scored: pd.DataFrame) -> None:
    figures = baseline_figures(scored[["customer_id", "product_id", "rank"]], TRUTH[:2], TRUTH, (1,))
    assert figures["recall_at_1"] == pytest.approx((1 / 2 + 0 + 0) / 3, abs=1e-6)
    assert (figures["set_precision"], figures["set_recall"]) == (1.0, 0.5)
    assert figures["set_f1"] == pytest.approx(4 / 6, abs=1e-6)
