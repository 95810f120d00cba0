"""Realised demand, counted by hand."""

from datetime import date

import pandas as pd

from sodai.evaluation.realised_demand import realised_demand

FIRST, SECOND = date(2024, 4, 1), date(2024, 4, 8)


def test_pairs_are_counted_once_a_period_and_only_inside_it() -> None:
    rows = [
        (1, 11, "2024-04-01"),
        (1, 11, "2024-04-05"),  # the same pair in the same period
        (1, 11, "2024-04-08"),
        (1, 12, "2024-04-07"),
        (2, 11, "2024-04-14"),
        (2, 12, "2024-03-31"),  # the day before the first period
        (2, 13, "2024-04-15"),  # the day after the second
    ]
    purchases = pd.DataFrame(rows, columns=["customer_id", "product_id", "purchase_date"])
    assert realised_demand(purchases, [FIRST, SECOND], 7) == {FIRST: 2, SECOND: 2}
    assert realised_demand(purchases, [FIRST, SECOND], 5) == {FIRST: 1, SECOND: 1}
    assert realised_demand(purchases, [FIRST], 7) == {FIRST: 2}


def test_a_period_without_purchases_has_no_demand() -> None:
    purchases = pd.DataFrame({"customer_id": [1], "product_id": [11], "purchase_date": ["2024-04-01"]})
    assert realised_demand(purchases, [SECOND], 7) == {SECOND: 0}
    assert realised_demand(purchases.iloc[:0], [FIRST], 7) == {FIRST: 0}
