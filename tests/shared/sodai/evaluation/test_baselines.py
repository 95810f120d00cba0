"""Baselines: every list and set of a period worked out by hand."""

from datetime import date, timedelta

import pandas as pd
import pytest

from sodai.evaluation.baselines import Baseline, baseline_start, baselines

AS_OF = date(2024, 4, 22)


def bought(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """Return purchases from rows of customer, product and days before AS_OF (1 = the last day)."""
    table = pd.DataFrame(rows, columns=["customer_id", "product_id", "days"])
    table["purchase_date"] = [AS_OF - timedelta(days=days) for days in table.pop("days")]
    return table


# Product 11 every week of the last four, 12 in the last week only, 13 six and eight weeks ago,
# 14 nine weeks ago; customer 2 bought 11 on the first and on the last day of the last week.
PURCHASES = bought(
    *[(1, 11, 1), (1, 11, 8), (1, 11, 15), (1, 11, 22)],
    *[(1, 12, 7), (1, 13, 36), (1, 13, 56), (1, 14, 57)],
    *[(2, 11, 1), (2, 11, 7)],
)


@pytest.fixture
def rules() -> dict[str, Baseline]:
    return baselines(PURCHASES, AS_OF)


def ranks(rule: Baseline) -> dict[tuple[int, int], int]:
    return {(row.customer_id, row.product_id): row.rank for row in rule.ranked.itertuples()}


def pairs(rule: Baseline) -> list[tuple[int, int]]:
    return sorted(rule.selected[["customer_id", "product_id"]].itertuples(index=False, name=None))


def test_bought_last_week_is_its_seven_days_and_ties_go_to_the_smaller_product(
    rules: dict[str, Baseline],
) -> None:
    rule = rules["bought_last_week"]
    assert pairs(rule) == [(1, 11), (1, 12), (2, 11)]
    assert ranks(rule) == {(1, 11): 1, (1, 12): 2, (2, 11): 1}


def test_three_of_eight_weeks_counts_weeks_not_purchases(rules: dict[str, Baseline]) -> None:
    rule = rules["bought_3_of_8_weeks"]
    assert pairs(rule) == [(1, 11)]
    # 14 was bought the day before the eight weeks began; 13 in two of them, 12 in one.
    assert ranks(rule) == {(1, 11): 1, (1, 13): 2, (1, 12): 3, (2, 11): 1}


def test_a_pair_bought_in_exactly_three_of_eight_weeks_is_in_the_set() -> None:
    three = bought((1, 11, 1), (1, 11, 30), (1, 11, 56), (1, 12, 1), (1, 12, 30), (1, 12, 57))
    assert pairs(baselines(three, AS_OF)["bought_3_of_8_weeks"]) == [(1, 11)]


def test_decayed_frequency_ranks_by_the_sum_of_powers_of_nine_tenths(rules: dict[str, Baseline]) -> None:
    # 11: 1 + .9 + .81 + .729; 12: 1; 13: .9 ** 5 + .9 ** 7 = 1.0688; 14: .9 ** 8 = .4305.
    assert ranks(rules["decayed_frequency"]) == {
        (1, 11): 1,
        (1, 13): 2,
        (1, 12): 3,
        (1, 14): 4,
        (2, 11): 1,
    }


def test_the_set_of_decayed_frequency_is_as_large_as_last_week(rules: dict[str, Baseline]) -> None:
    # Three pairs were bought last week; (1, 12) and (2, 11) both have 1, and the smaller customer wins.
    assert pairs(rules["decayed_frequency"]) == [(1, 11), (1, 12), (1, 13)]


def test_purchases_of_more_than_a_year_ago_are_ignored() -> None:
    rules = baselines(bought((1, 11, 364), (1, 12, 365)), AS_OF)
    assert ranks(rules["decayed_frequency"]) == {(1, 11): 1}
    assert baseline_start(AS_OF) == AS_OF - timedelta(days=364)


def test_after_a_week_without_purchases_sets_are_empty_and_lists_use_older_weeks() -> None:
    rules = baselines(bought((1, 11, 20)), AS_OF)
    assert pairs(rules["bought_last_week"]) == pairs(rules["decayed_frequency"]) == []
    assert ranks(rules["bought_last_week"]) == {}
    assert ranks(rules["bought_3_of_8_weeks"]) == ranks(rules["decayed_frequency"]) == {(1, 11): 1}


def test_without_any_purchase_every_rule_predicts_nothing() -> None:
    for rule in baselines(bought((1, 11, 1)).iloc[:0], AS_OF).values():
        assert len(rule.ranked) == len(rule.selected) == 0


def test_the_order_of_the_purchases_changes_no_prediction(rules: dict[str, Baseline]) -> None:
    reversed_rules = baselines(PURCHASES.iloc[::-1], AS_OF)
    for name, rule in rules.items():
        assert (pairs(reversed_rules[name]), ranks(reversed_rules[name])) == (pairs(rule), ranks(rule))
