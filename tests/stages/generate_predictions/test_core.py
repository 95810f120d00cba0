"""What is published about the scores of a week, worked out by hand."""

import json
from datetime import date

import pandas as pd
import pytest

from generate_predictions import core
from sodai.selection import rank_within_customer

WEEK = date(2025, 1, 6)


def scores(*rows: tuple[int, int, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "product_id", "probability"])
    return frame.assign(
        rank=rank_within_customer(frame["customer_id"], frame["product_id"], frame["probability"])
    )


FOUR = scores((1, 10, 0.9), (1, 20, 0.1), (2, 10, 0.6), (2, 20, 0.05))
NO_REASONS = pd.DataFrame(columns=["customer_id", "product_id", "position", "direction", "phrase"])


def test_the_set_is_taken_over_all_customers_together() -> None:
    predictions = core.predict(FOUR, WEEK, "3", missing_pairs=0.0)
    assert predictions["selected"].tolist() == [True, False, True, False]
    assert predictions["week"].unique().tolist() == [WEEK]
    assert predictions["model_version"].unique().tolist() == ["3"]


def test_purchases_outside_the_candidates_make_the_set_larger() -> None:
    # With 10 more, of 2 * sum / (n + 1.65 + 10): 3 / 13.65 for two, 3.2 / 14.65, 3.3 / 15.65 for all four.
    predictions = core.predict(FOUR, WEEK, "3", missing_pairs=10.0)
    assert predictions["selected"].tolist() == [True, False, True, False]
    # With 100: 3 / 103.65, 3.2 / 104.65, 3.3 / 105.65, which is the largest.
    assert core.predict(FOUR, WEEK, "3", missing_pairs=100.0)["selected"].all()


def test_lists_are_cut_at_k_and_stand_in_order_of_rank() -> None:
    best = core.recommend(core.predict(FOUR, WEEK, "3", 0.0), k=1)
    assert best[["customer_id", "product_id"]].values.tolist() == [[1, 10], [2, 10]]


def test_the_summary_counts_pairs_customers_and_short_lists() -> None:
    predictions = core.predict(FOUR, WEEK, "3", missing_pairs=0.35)
    summary = core.summarize(predictions, [1, 2, 3], {1}, missing_pairs=0.35, k=2)
    assert summary["n_candidates"] == 4
    assert summary["n_customers"] == 3
    assert summary["n_customers_with_full_list"] == 2
    assert summary["n_customers_without_history"] == 2
    assert summary["n_customers_without_history_listed"] == 1
    assert summary["short_lists"] == {"3": 0}
    # 1.65 are expected among the candidates.
    assert summary["expected_pairs"] == pytest.approx(2.0)
    assert summary["expected_missing_pairs"] == pytest.approx(0.35)


def test_the_expected_f1_of_the_summary_is_that_of_the_set() -> None:
    summary = core.summarize(core.predict(FOUR, WEEK, "3", 0.0), [1, 2], {1, 2}, 0.0, k=2)
    assert summary["n_selected"] == 2
    assert summary["expected_f1"] == pytest.approx(2 * 1.5 / (2 + 1.65), abs=1e-6)


def test_the_index_holds_every_customer_with_the_reasons_in_their_order() -> None:
    reasons = pd.DataFrame(
        {
            "customer_id": [1, 1],
            "product_id": [10, 10],
            "position": [2, 1],
            "direction": ["lowers", "raises"],
            "phrase": ["second", "first"],
        }
    )
    best = core.recommend(core.predict(FOUR, WEEK, "3", 0.0), k=2)
    index = json.loads(core.recommendation_index(best, [1, 2, 3], reasons, {"week": "2025-01-06", "k": 2}))
    assert list(index) == ["week", "k", "customers"]
    best, second = index["customers"]["1"]
    assert best.pop("reasons") == [
        {"direction": "raises", "text": "first"},
        {"direction": "lowers", "text": "second"},
    ]
    assert best == {"product_id": 10, "probability": 0.9, "rank": 1, "selected": True}
    assert second == {"product_id": 20, "probability": 0.1, "rank": 2, "selected": False, "reasons": []}
    assert index["customers"]["3"] == []


def test_the_index_stands_on_one_line_a_customer() -> None:
    best = core.recommend(core.predict(FOUR, WEEK, "3", 0.0), k=2)
    text = core.recommendation_index(best, [1, 2], NO_REASONS, {"week": "2025-01-06"})
    assert len(text.splitlines()) == 1 + 2 + 1
