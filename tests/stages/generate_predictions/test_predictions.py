"""Predictions and their summary from the scores of a week, worked out by hand."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from generate_predictions.core_predictions import PeriodCalibration, PredictionSummary
from generate_predictions.core_recommendations import recommend
from sodai.data.catalog import PREDICTIONS, SCORES
from sodai.data.customer_groups import rank_within_customer

WEEK = date(2025, 1, 6)


def scores(*rows: tuple[int, int, float]) -> pa.Table:
    """Return the columns of SCORES for (customer_id, product_id, probability)."""
    customer_id, product_id, probability = (np.array(column) for column in zip(*rows, strict=True))
    log_odds = np.log(probability / (1 - probability))
    rank = rank_within_customer(customer_id, product_id, log_odds)
    return pa.table([customer_id, product_id, log_odds, rank], schema=SCORES.schema)


FOUR = scores((1, 10, 0.9), (1, 20, 0.1), (2, 10, 0.6), (2, 20, 0.05))


def calibrate(table: pa.Table, missing_pairs: float) -> PeriodCalibration:
    """Calibrate to as many purchases as the probabilities add up to, and some outside the candidates."""
    log_odds = table["log_odds"].to_numpy()
    return PeriodCalibration.fit(lambda: [log_odds], (1 / (1 + np.exp(-log_odds))).sum(), missing_pairs)


def predictions(missing_pairs: float = 0.0) -> pa.Table:
    return calibrate(FOUR, missing_pairs).predict(FOUR, WEEK, "3")


def summary(customers: list[int], with_history: list[int], missing_pairs: float) -> dict[str, object]:
    counts = PredictionSummary(np.array(customers), np.array(with_history), k=2)
    # One customer at a time, as they come from disk.
    for start in (0, 2):
        some = predictions(missing_pairs).slice(start, 2)
        counts.add(some, recommend(some, 2))
    return counts.to_record(missing_pairs)


def test_the_set_is_taken_over_all_customers_together() -> None:
    table = predictions()
    assert table.schema == PREDICTIONS.contract.schema
    assert table["selected"].to_pylist() == [True, False, True, False]
    assert table["probability"].to_pylist() == pytest.approx([0.9, 0.1, 0.6, 0.05])
    assert table["rank"].to_pylist() == [1, 2, 1, 2]
    assert set(table["week"].to_pylist()) == {WEEK}
    assert set(table["model_version"].to_pylist()) == {"3"}


def test_more_demand_shifts_all_log_odds_by_the_same() -> None:
    even = scores((1, 10, 0.5), (1, 20, 0.25))
    # Odds of 1 and 1/3, times three: 3/4 and 1/2.
    calibration = PeriodCalibration.fit(lambda: [even["log_odds"].to_numpy()], 1.25, 0.0)
    assert calibration.shift == pytest.approx(np.log(3))
    assert calibration.predict(even, WEEK, "3")["probability"].to_pylist() == pytest.approx([0.75, 0.5])


def test_purchases_outside_the_candidates_make_the_set_larger() -> None:
    # With 10 more, of 2 * sum / (n + 1.65 + 10): 3 / 13.65 for two, 3.2 / 14.65, 3.3 / 15.65 for all four.
    assert predictions(10.0)["selected"].to_pylist() == [True, False, True, False]
    # With 100: 3 / 103.65, 3.2 / 104.65, 3.3 / 105.65, which is the largest.
    assert all(predictions(100.0)["selected"].to_pylist())


def test_lists_are_cut_at_k() -> None:
    best = recommend(predictions(), k=1)
    assert best.select(["customer_id", "product_id"]).to_pydict() == {
        "customer_id": [1, 2],
        "product_id": [10, 10],
    }


def test_the_summary_counts_pairs_customers_and_short_lists() -> None:
    figures = summary([1, 2, 3], [1], missing_pairs=0.35)
    assert figures["n_candidates"] == 4
    assert figures["n_recommended"] == 4
    assert figures["n_products_recommended"] == 2
    assert figures["n_customers"] == 3
    assert figures["n_customers_with_full_list"] == 2
    assert figures["n_customers_without_history"] == 2
    assert figures["n_customers_without_history_listed"] == 1
    assert figures["short_lists"] == {"3": 0}
    # 1.65 are expected among the candidates.
    assert figures["expected_pairs"] == pytest.approx(2.0)
    assert figures["expected_missing_pairs"] == pytest.approx(0.35)


def test_a_customer_missing_from_the_table_counts_among_pairs_and_not_among_customers() -> None:
    figures = summary([2], [1, 2], missing_pairs=0.0)
    names = ("n_customers", "n_customers_with_full_list", "n_recommended")
    assert [figures[name] for name in names] == [1, 1, 4]


def test_the_expected_f1_of_the_summary_is_that_of_the_set() -> None:
    figures = summary([1, 2], [1, 2], missing_pairs=0.0)
    assert figures["n_selected"] == 2
    assert figures["expected_f1"] == pytest.approx(2 * 1.5 / (2 + 1.65), abs=1e-6)
