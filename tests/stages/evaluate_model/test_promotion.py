"""The promotion of a challenger: each rule, its margin, and the groups of customers that it protects."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from evaluate_model.core_promotion import (
    MARGIN,
    Promotion,
    compare,
    customer_groups,
    describe_difference,
    is_backfill,
    keep_loaded_champion,
    keep_on_backfill,
    keep_promoted,
    promote_without_comparison,
)
from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.evaluation.bootstrap import SMALLEST_GROUP

N = 400
CUSTOMERS = pd.RangeIndex(1, N + 1, name="customer_id")
CHAMPION_NDCG = pd.Series(np.linspace(0.2, 0.8, N), CUSTOMERS)
TYPES = pd.Series(np.where(np.arange(N) < 100, "KIOSCO", "ABARROTES"), CUSTOMERS)
DEMAND = pd.Series(np.resize(["low", "middle", "high"], N), CUSTOMERS)


def compare_after(change: object, types: pd.Series = TYPES, demand: pd.Series = DEMAND) -> Promotion:
    """Compare a challenger whose NDCG is the champion's plus `change`."""
    groups = pd.DataFrame({"customer_type": types, "demand": demand})
    return compare(CHAMPION_NDCG + change, CHAMPION_NDCG, groups, np.random.default_rng(0))


def test_a_challenger_like_the_champion_is_promoted() -> None:
    promotion = compare_after(0.0)
    assert (promotion.promoted, promotion.role) == (True, CHALLENGER)
    assert promotion.reason == "not worse: NDCG +0.0000 on the closed period"
    assert promotion.difference == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_a_better_challenger_is_promoted_with_its_difference() -> None:
    promotion = compare_after(0.05)
    assert promotion.promoted
    assert promotion.reason == "not worse: NDCG +0.0500 on the closed period"
    assert promotion.difference == pytest.approx({"mean": 0.05, "low": 0.05, "high": 0.05})


@pytest.mark.parametrize(("change", "promoted"), [(-0.0099, True), (-0.0101, False)])
def test_a_challenger_may_lose_the_margin_and_no_more(change: float, promoted: bool) -> None:
    assert MARGIN == 0.01
    assert compare_after(change).promoted is promoted


def test_a_worse_challenger_is_not_promoted_and_the_reason_says_by_how_much() -> None:
    promotion = compare_after(-0.05)
    assert (promotion.promoted, promotion.role) == (False, CHAMPION)
    assert promotion.reason == "worse overall: NDCG -0.0500, 95 % -0.0500 to -0.0500, margin -0.01"


def test_a_challenger_that_may_be_much_worse_is_not_promoted_for_an_equal_mean() -> None:
    # Half of the customers gain .5, the others lose it: the mean is 0, its standard error .5 / 20.
    promotion = compare_after(np.where(np.arange(N) % 2, 0.5, -0.5))
    assert promotion.difference is not None
    assert promotion.difference["mean"] == pytest.approx(0.0)
    assert promotion.difference["low"] == pytest.approx(-1.96 * 0.025, abs=0.005)
    assert promotion.difference["high"] == pytest.approx(1.96 * 0.025, abs=0.005)
    assert not promotion.promoted
    assert promotion.reason.startswith("may be worse overall: NDCG ")


def test_a_challenger_better_overall_but_worse_for_one_type_of_customer_is_not_promoted() -> None:
    promotion = compare_after(np.where(TYPES == "KIOSCO", -0.05, 0.1))
    assert (promotion.promoted, promotion.role) == (False, CHAMPION)
    assert promotion.reason == "clearly worse for customers of customer type KIOSCO"
    types = [group for group in promotion.groups if group["by"] == "customer_type"]
    assert [(group["group"], group["n_customers"]) for group in types] == [
        ("ABARROTES", 300),
        ("KIOSCO", 100),
    ]
    assert [group["mean"] for group in types] == pytest.approx([0.1, -0.05])


def test_a_challenger_worse_for_customers_of_one_demand_level_is_not_promoted() -> None:
    promotion = compare_after(np.where(DEMAND == "low", -0.05, 0.1))
    assert (promotion.promoted, promotion.role) == (False, CHAMPION)
    assert promotion.reason == "clearly worse for customers of demand low"
    sizes = {group["group"]: group["n_customers"] for group in promotion.groups if group["by"] == "demand"}
    assert sizes == {"high": 133, "low": 134, "middle": 133}


@pytest.mark.parametrize(("size", "promoted"), [(SMALLEST_GROUP - 1, True), (SMALLEST_GROUP, False)])
def test_a_customer_type_with_few_customers_stops_no_challenger(size: int, promoted: bool) -> None:
    few = np.arange(N) < size
    types = pd.Series(np.where(few, "RESTAURANT", "ABARROTES"), CUSTOMERS)
    promotion = compare_after(np.where(few, -0.05, 0.1), types)
    assert promotion.promoted is promoted
    named = [group["group"] for group in promotion.groups if group["by"] == "customer_type"]
    assert named == (["ABARROTES"] if promoted else ["ABARROTES", "RESTAURANT"])


def test_customers_without_a_type_are_a_group_of_their_own() -> None:
    unknown = TYPES.where(TYPES != "KIOSCO", None)
    promotion = compare_after(np.where(unknown.isna(), -0.05, 0.1), unknown)
    assert promotion.reason == "clearly worse for customers of customer type not known"


def test_a_period_without_a_purchase_promotes_nothing() -> None:
    promotion = compare(
        CHAMPION_NDCG[:0],
        CHAMPION_NDCG[:0],
        pd.DataFrame({"customer_type": TYPES[:0]}),
        np.random.default_rng(0),
    )
    assert promotion == Promotion(
        False, "no purchases in the closed period, so there is nothing to compare", CHAMPION
    )


def test_customers_are_split_into_three_equal_groups_by_recent_demand() -> None:
    as_of = date(2024, 6, 3)
    bought = [(customer, product) for customer in range(2, 7) for product in range(customer)]
    recent = pd.DataFrame(bought, columns=["customer_id", "product_id"]).assign(
        purchase_date=date(2024, 5, 6)
    )
    # Customer 1 bought much, but 57 days before; a line twice on a day counts once.
    old = pd.DataFrame({"customer_id": 1, "product_id": range(9), "purchase_date": date(2024, 4, 7)})
    customers = pd.DataFrame({"customer_id": range(6, 0, -1), "customer_type": "KIOSCO"})
    groups = customer_groups(customers, pd.concat([recent, recent, old]), as_of)
    assert groups["demand"].to_dict() == {
        1: "low", 2: "low", 3: "middle", 4: "middle", 5: "high", 6: "high"
    }  # fmt: skip
    assert (groups["customer_type"] == "KIOSCO").all()


@pytest.mark.parametrize(("change", "verb"), [(0.02, "beat"), (0.0, "did not beat"), (-0.02, "did not beat")])
def test_the_difference_is_described_as_beating_the_champion_or_not(change: float, verb: str) -> None:
    record = describe_difference(pd.Series(change, CUSTOMERS), seed=0)
    assert record["difference"] == pytest.approx({"mean": change, "low": change, "high": change})
    assert record["reason"].startswith(f"the challenger {verb} the champion: NDCG {change:+.4f}")


def test_a_retraining_before_a_period_without_a_purchase_has_no_difference() -> None:
    record = describe_difference(pd.Series([], dtype=float), seed=0)
    assert record == {"difference": None, "reason": "no purchases in the closed period"}


def test_without_a_champion_to_compare_with_the_challenger_is_promoted() -> None:
    assert promote_without_comparison("first version: there was no champion") == Promotion(
        True, "first version: there was no champion", CHALLENGER
    )


def test_without_a_challenger_nothing_moves_and_the_champion_is_published() -> None:
    assert keep_loaded_champion() == Promotion(False, "no challenger: the champion was loaded", CHAMPION)


def test_a_challenger_that_was_promoted_before_stays_with_the_new_comparison_as_reason() -> None:
    assert keep_promoted(compare_after(0.05)) == compare_after(0.05)
    worse = compare_after(-0.05)
    promotion = keep_promoted(worse)
    assert (promotion.promoted, promotion.role) == (True, CHALLENGER)
    assert promotion.reason == f"promoted by an earlier run of this period, and stays; now {worse.reason}"
    assert (promotion.difference, promotion.groups) == (worse.difference, worse.groups)


@pytest.mark.parametrize(
    ("trained_for", "backfill"), [("2024-04-15", False), ("2024-04-22", False), ("2024-04-23", True)]
)
def test_a_run_for_a_period_before_the_champions_is_a_backfill(trained_for: str, backfill: bool) -> None:
    assert is_backfill({"as_of": trained_for}, date(2024, 4, 22)) is backfill


def test_a_backfill_publishes_its_own_model_and_never_moves_the_alias() -> None:
    assert keep_on_backfill({"as_of": "2024-04-22"}, date(2024, 4, 15)) == Promotion(
        False, "backfill: the champion was trained for 2024-04-22, later than 2024-04-15", CHALLENGER
    )
