"""Nine weeks of three customers and four products, with features worked out by hand.

The customers are A and B of one type and C of another. Ages are days before `AS_OF`; week 0 is the
seven days before it: age 7 is in week 0 and age 8 in week 1.
"""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sodai.data.catalog import EXTRACT, FEATURES_STAGE, SCORING, TRAINING
from sodai.volume.volume import Volume
from support.sales_data import (
    FIRST_CUSTOMER,
    FIRST_PRODUCT,
    disguise_units,
    synthetic_customers,
    write_transactions,
)
from support.week import run_stage

AS_OF = date(2024, 9, 16)
A, B, C = (FIRST_CUSTOMER + number for number in range(3))
P1, P2, P3, P4 = (FIRST_PRODUCT + number for number in range(4))

# Customer, product, age in days, order, units.
PURCHASES = [
    (A, P1, 2, 1, 3), (A, P1, 9, 2, 2), (A, P1, 16, 3, 2), (A, P1, 30, 4, 5),
    (A, P2, 9, 2, 2),
    (A, P3, 30, 4, 3), (A, P3, 65, 5, 2),
    (B, P1, 14, 6, 2),
    (B, P2, 7, 7, 3), (B, P2, 21, 8, 2),
    # Two orders on one day are one day with six units.
    (C, P4, 1, 9, 2), (C, P4, 1, 10, 4),
    # In the period to predict: no feature may read these.
    (A, P2, 0, 11, 9), (B, P3, -3, 12, 9),
]  # fmt: skip

Row = Mapping[str, Any]
Table = pd.DataFrame


def _write_raw(folder: Path) -> None:
    folder.mkdir()
    lines = pd.DataFrame(PURCHASES, columns=["customer_id", "product_id", "age", "order_id", "units"])
    lines["purchase_date"] = pd.Timestamp(AS_OF) - pd.to_timedelta(lines["age"], unit="D")
    write_transactions(folder / "transacciones.parquet", lines.assign(items=disguise_units(lines["units"])))
    kinds = ["ABARROTES", "ABARROTES", "KIOSCO"]
    customers = synthetic_customers(3).assign(
        customer_type=kinds, Y=[-46.5, -46.25, -46.0], X=[-108.0, None, -107.5]
    )
    customers.to_parquet(folder / "clientes.parquet", index=False)
    pd.DataFrame(
        {
            "product_id": [P1, P2, P3, P4],
            "brand": ["Cola", "Cola", "Agua", None],
            "category": "BEBIDAS",
            "sub_category": ["GASEOSAS", "GASEOSAS", "AGUAS", "GASEOSAS"],
            "segment": ["LOW", "LOW", "PREMIUM", "MEDIUM"],
            "package": ["LATA", "BOTELLA", "BOTELLA", "LATA"],
            "size": [0.33, 1.5, 1.5, 0.33],
        }
    ).to_parquet(folder / "productos.parquet", index=False)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    root = tmp_path_factory.mktemp("worked")
    _write_raw(root / "raw")
    for stage, options in ((EXTRACT, []), (FEATURES_STAGE, ["--min-history-days", "40"])):
        outcome = run_stage(stage, root, str(AS_OF), *options)
        assert outcome.code == 0, outcome.log
    return Volume(root)


@pytest.fixture(scope="module")
def scoring(volume: Volume) -> Table:
    return volume.read(SCORING, AS_OF).to_pandas().set_index(["customer_id", "product_id"])


@pytest.fixture(scope="module")
def training(volume: Volume) -> Table:
    keys = ["cutoff", "customer_id", "product_id"]
    return volume.read(TRAINING, AS_OF).to_pandas().set_index(keys)


def _check(row: Row, expected: Row) -> None:
    actual = {name: None if pd.isna(row[name]) else row[name] for name in expected}
    assert actual == {
        name: value if value is None or isinstance(value, str) else pytest.approx(value, rel=1e-6)
        for name, value in expected.items()
    }


# A ordered in weeks 0, 1, 2, 4 and 9: P1 in the first four of them, P3 in the last two.
ACTIVITY_A = 1 + 0.9 + 0.81 + 0.6561 + 0.387420489
WEIGHT_A_P1 = 1 + 0.9 + 0.81 + 0.6561
WEIGHT_A_P3 = 0.6561 + 0.387420489


def test_candidates_are_the_products_bought_before_and_those_that_sell_to_the_type(scoring: Table) -> None:
    # P3 was not sold in four weeks: only A, who bought it before, may get it.
    everyone = {(customer, product) for customer in (A, B, C) for product in (P1, P2, P4)}
    assert set(scoring.index) == everyone | {(A, P3)}


def test_a_regular_customer(scoring: Table) -> None:
    # Order days at ages 2, 9, 16, 30, 65: gaps 7, 7, 14, 35.
    _check(
        scoring.loc[(A, P1)],
        {
            "customer_type": "ABARROTES",
            "customer_latitude": -46.5,
            "customer_longitude": -108.0,
            "customer_deliveries_per_week": 1,
            "customer_recency_days": 2,
            "customer_tenure_days": 65,
            "customer_order_days": 5,
            "customer_activity": ACTIVITY_A,
            "customer_gap_mean_days": 63 / 4,
            "customer_gap_median_days": (7 + 14) / 2,
            "customer_gap_std_days": math.sqrt((49 + 49 + 196 + 1225) / 4 - 15.75**2),
            "customer_due_ratio": 2 / 10.5,
            "customer_products": 3,
            "customer_products_4w": 2,
            "customer_products_1w": 1,
            # P1 in weeks 0, 1, 2, 4; P2 in week 1; P3 in week 4.
            "customer_products_per_week_8w": 6 / 8,
            "customer_basket": (ACTIVITY_A + 0.9 + 0.6561) / ACTIVITY_A,
            "customer_units_8w": 3 + 2 + 2 + 5 + 2 + 3,
            # P1 and P2 are new, P3 was bought nine weeks ago already.
            "customer_new_share_8w": 2 / 3,
        },
    )


def test_a_customer_with_even_gaps_and_one_without_a_longitude(scoring: Table) -> None:
    _check(
        scoring.loc[(B, P4)],
        {
            "customer_longitude": None,
            "customer_recency_days": 7,
            "customer_gap_mean_days": 7,
            "customer_gap_std_days": 0,
            "customer_due_ratio": 7 / 7,
            "customer_basket": 1,
            "customer_units_8w": 7,
            "customer_new_share_8w": 1,
        },
    )


def test_a_customer_with_two_orders_on_its_only_day(scoring: Table) -> None:
    _check(
        scoring.loc[(C, P4)],
        {
            "customer_type": "KIOSCO",
            "customer_recency_days": 1,
            "customer_tenure_days": 1,
            "customer_order_days": 1,
            "customer_activity": 1,
            "customer_gap_mean_days": None,
            "customer_gap_std_days": None,
            "customer_due_ratio": None,
            "customer_products": 1,
            "customer_products_per_week_8w": 1 / 8,
            "customer_units_8w": 6,
        },
    )


def test_a_product_that_sells_every_week_to_one_type(scoring: Table) -> None:
    # Buyers: week 0 A; week 1 A and B; week 2 A; week 4 A. Three pairs in the last week.
    of_any_customer = {
        "product_brand": "Cola",
        "product_sub_category": "GASEOSAS",
        "product_segment": "LOW",
        "product_package": "LATA",
        "product_size_litres": 0.33,
        "product_buyers_1w": 1,
        "product_buyers_2nd_week": 2,
        "product_buyers_4w": 4 / 4,
        "product_buyers_8w": 5 / 8,
        "product_buyers_26w": 5 / 26,
        "product_momentum": ((1 + 1) / (5 / 8 + 1)) ** 0.6,
        "product_share_1w": 1 / 3,
        "product_change_1w": (1 + 1) / (2 + 1),
        "product_age_days": 30,
        "product_recency_days": 2,
        "product_weeks_sold_13w": 4,
        "product_peak_ratio": 1 / 2,
        "product_customers": 2,
        "product_repeat_rate": 1 / 2,
        "product_family_share_1w": 1,
        "product_brand_size_share_1w": 1,
    }
    same_type = {
        "product_type_share_1w": 1 / 2,
        "product_type_share_4w": 1 / 2,
        # Half of two against a third of three.
        "product_type_lift_4w": (1 / 2) / (1 / 3),
    }
    _check(scoring.loc[(A, P1)], of_any_customer | same_type)
    _check(scoring.loc[(C, P1)], of_any_customer | dict.fromkeys(same_type, 0))


def test_a_product_without_sales_in_four_weeks(scoring: Table) -> None:
    _check(
        scoring.loc[(A, P3)],
        {
            "product_buyers_1w": 0,
            "product_buyers_8w": 1 / 8,
            "product_buyers_26w": 2 / 26,
            "product_momentum": (1 / (1 / 8 + 1)) ** 0.6,
            "product_share_1w": 0,
            "product_change_1w": 1,
            "product_age_days": 65,
            "product_recency_days": 30,
            "product_weeks_sold_13w": 2,
            "product_peak_ratio": 0,
            "product_customers": 1,
            "product_repeat_rate": None,
            "product_type_share_4w": 0,
            "product_type_lift_4w": None,
            "product_family_share_1w": None,
            "product_brand_size_share_1w": None,
        },
    )


def test_a_product_without_a_brand_that_sells_to_a_type_of_one_customer(scoring: Table) -> None:
    _check(
        scoring.loc[(C, P4)],
        {
            "product_brand": None,
            "product_buyers_26w": 1 / 26,
            "product_change_1w": 2,
            "product_peak_ratio": 1,
            "product_type_share_1w": 1,
            "product_type_share_4w": 1 / 4,
            "product_type_lift_4w": (1 / 4) / (1 / 4 / 3),
        },
    )


def test_a_pair_with_a_habit(scoring: Table) -> None:
    # Weeks 0, 1, 2 and 4; days at ages 2, 9, 16, 30: gaps 7, 7, 14.
    _check(
        scoring.loc[(A, P1)],
        {
            "pair_weeks": 4,
            "pair_weight_97": 1 + 0.97 + 0.9409 + 0.88529281,
            "pair_weight_90": WEIGHT_A_P1,
            "pair_weight_75": 1 + 0.75 + 0.5625 + 0.31640625,
            "pair_weight_50": 1 + 0.5 + 0.25 + 0.0625,
            "pair_weeks_8w": 4,
            "pair_weeks_13w": 4,
            "pair_recency_days": 2,
            "pair_tenure_days": 30,
            "pair_gap_mean_days": 28 / 3,
            "pair_gap_median_days": 7,
            "pair_gap_std_days": math.sqrt((49 + 49 + 196) / 3 - (28 / 3) ** 2),
            "pair_due_ratio": 2 / 7,
            "pair_overdue_days": -5,
            "pair_units_mean": (3 + 2 + 2 + 5) / 4,
            "pair_units_last": 3,
            "pair_momentum_score": WEIGHT_A_P1 * (2 / 1.625) ** 0.6 + 5 * 1 / 3,
            # Five weeks with an order; 30 days reach into a fifth week.
            "pair_share_of_weeks": 4 / 5,
            "pair_share_of_activity": WEIGHT_A_P1 / ACTIVITY_A,
            "pair_share_since_first": 4 / 5,
            "pair_position": 1,
            # P2 is of the same brand but was bought in a week with P1; no other product is of its size.
            "pair_brand_weight": WEIGHT_A_P1,
            "pair_family_weight": WEIGHT_A_P1,
            "pair_family_score": WEIGHT_A_P1 * 1,
            "pair_brand_size_weight": WEIGHT_A_P1,
            "pair_brand_size_score": WEIGHT_A_P1 * 1,
        },
    )


def test_a_pair_without_recent_purchases(scoring: Table) -> None:
    _check(
        scoring.loc[(A, P3)],
        {
            "pair_weeks": 2,
            "pair_weight_90": WEIGHT_A_P3,
            "pair_weeks_13w": 2,
            "pair_recency_days": 30,
            "pair_gap_std_days": 0,
            "pair_due_ratio": 30 / 35,
            "pair_overdue_days": -5,
            "pair_units_mean": 2.5,
            "pair_units_last": 3,
            "pair_share_of_weeks": 2 / 5,
            "pair_share_since_first": 2 / 10,
            # P1 weighs more, P2 (once, in week 1: 0.9) less.
            "pair_position": 2,
            # The customer bought the family, but it had no sales in the last week.
            "pair_family_weight": WEIGHT_A_P3,
            "pair_family_score": 0,
        },
    )
    assert scoring.loc[(A, P2), "pair_position"] == 3


def test_a_pair_that_was_never_bought(scoring: Table) -> None:
    _check(
        scoring.loc[(A, P4)],
        {
            "pair_weeks": 0,
            "pair_weight_90": 0,
            "pair_recency_days": None,
            "pair_gap_median_days": None,
            "pair_due_ratio": None,
            "pair_overdue_days": None,
            "pair_units_last": None,
            "pair_momentum_score": 5 * 1 / 3,
            "pair_share_of_weeks": 0,
            "pair_share_of_activity": 0,
            "pair_share_since_first": None,
            "pair_position": None,
            # A missing brand is a brand of its own, and A bought nothing of it.
            "pair_brand_weight": 0,
            "pair_family_weight": 0,
            "pair_brand_size_weight": 0,
        },
    )


def test_the_market_is_the_same_on_every_row(scoring: Table) -> None:
    for _, row in scoring.iterrows():
        # Ten pairs in the last eight weeks, three of them in the last.
        _check(row, {"market_pairs_1w": 3, "market_trend_8w": 3 / (10 / 8)})


def test_each_training_period_has_40_days_of_purchases_before_it(training: Table) -> None:
    # The first purchase is 65 days old: 44 days before the third period, 37 before the fourth.
    cutoffs = set(training.index.get_level_values("cutoff"))
    assert cutoffs == {AS_OF - timedelta(days=age) for age in (7, 14, 21)}


def test_targets_are_the_purchases_of_the_seven_days_from_the_cutoff(training: Table) -> None:
    bought = training.index[training["target"] == 1]
    assert {((AS_OF - cutoff).days, *pair) for cutoff, *pair in bought} == {
        # Without C's P4 on day 1 and B's P2 on day 21, which had no sale before and are no candidates.
        (7, A, P1), (7, B, P2),
        (14, A, P1), (14, A, P2), (14, B, P1),
        (21, A, P1),
    }  # fmt: skip
