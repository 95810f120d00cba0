"""Sections of the page: lists of customers and leads of trainings, worked out by hand."""

from datetime import date, timedelta
from typing import Any

import pytest

from log_pipeline_metrics.core_history_sections import trainings
from log_pipeline_metrics.core_sections import customers_with_lists

FIRST = date(2024, 12, 30)


def row(as_of: date, branch: str, lead: float | None) -> dict[str, Any]:
    return {"as_of": as_of, "branch": branch, "rule": "drift", "promoted": True, "challenger_lead": lead}


def test_the_precision_of_trainings_counts_the_trainings_whose_next_period_is_known() -> None:
    leads = [None, 0.02, -0.01, 0.004, None]
    trained = [row(FIRST + timedelta(weeks=week), "retrain_model", lead) for week, lead in enumerate(leads)]
    loaded = row(FIRST - timedelta(weeks=1), "load_existing_model", None)
    section = trainings([loaded, *trained])
    assert section["text"].startswith("2 of 3 trainings produced a challenger that beat the champion")
    assert "precision of 67%" in section["text"]
    assert [line[-1] for line in section["rows"]] == ["–", "+0.0040", "-0.0100", "+0.0200", "–"]


def test_without_a_known_lead_the_page_says_when_it_is_known() -> None:
    assert "is known once the period after it is over" in trainings([])["text"]


@pytest.mark.parametrize(
    ("full", "short", "expected"),
    [
        (1490, {}, ("1,490", "of 1,490, 10 products each")),
        (1488, {"7": 4, "9": 0}, ("1,489", "of 1,490, 1,488 with all 10 products")),
        (1489, {"9": 0}, ("1,489", "of 1,490, 10 products each")),
        (0, {str(customer): 8 for customer in range(1490)}, ("1,490", "of 1,490, 0 with all 10 products")),
    ],
)
def test_a_customer_with_a_short_list_has_a_list(
    full: int, short: dict[str, int], expected: tuple[str, str]
) -> None:
    summary = {"k": 10, "n_customers": 1490, "n_customers_with_full_list": full, "short_lists": short}
    assert customers_with_lists(summary) == expected
