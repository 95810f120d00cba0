"""Evidently's report on synthetic samples: chance is not drift, a shift is, each column has its grain."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from detect_data_drift import core_columns
from detect_data_drift.core_columns import NOT_TESTED
from detect_data_drift.core_drift_result import DriftResult
from detect_data_drift.report import build_drift_report
from sodai.data.feature_catalog import FEATURES
from sodai.errors import SodaiError
from sodai.evaluation.drift_sample import PREDICTION, sample_one_per_entity

N_CUSTOMERS, N_PRODUCTS = 400, 200
NUMBER = partial(core_columns.DriftTest, method="wasserstein", threshold=0.2, categorical=False)
CATEGORY = partial(core_columns.DriftTest, method="jensenshannon", threshold=0.15, categorical=True)
TESTS = [
    NUMBER("orders", "customer"),
    NUMBER("spread", "customer"),
    NUMBER("gap", "customer"),
    CATEGORY("shop", "customer"),
    NUMBER("sold", "product"),
    CATEGORY("brand", "product"),
]


def sample(seed: int) -> pd.DataFrame:
    """Return one row per customer and one per product; half of the gaps are null."""
    rng = np.random.default_rng(seed)
    n = N_CUSTOMERS + N_PRODUCTS
    gap = rng.exponential(7.0, n)
    return pd.DataFrame(
        {
            "grain": np.repeat(["customer", "product"], [N_CUSTOMERS, N_PRODUCTS]),
            "orders": rng.poisson(5.0, n).astype(np.float32),
            "spread": rng.normal(0.0, 1.0, n).astype(np.float32),
            "gap": np.where(rng.random(n) < 0.5, np.nan, gap).astype(np.float32),
            "shop": rng.choice(["ABARROTES", "KIOSCO", "RESTAURANT"], n, p=[0.6, 0.3, 0.1]),
            "sold": rng.exponential(1.0, n).astype(np.float32),
            "brand": rng.choice(["Brand 1", "Brand 2"], n),
        }
    )


def drifted(report: DriftResult) -> set[str]:
    return set(report.table.loc[report.table["drifted"], "column"])


@pytest.mark.parametrize("seed", range(3))
def test_two_samples_of_one_distribution_do_not_drift(seed: int) -> None:
    report = build_drift_report(sample(seed), sample(seed + 100), TESTS)
    assert drifted(report) == set()
    assert report.share == 0.0
    assert (report.table["score"] < report.table["threshold"]).all()


@pytest.mark.parametrize(
    ("n_current", "n_reference", "threshold"), [(1000, 8000, 0.2), (100, 100, 0.282843), (24, 192, 0.433013)]
)
def test_small_samples_need_a_larger_distance(n_current: int, n_reference: int, threshold: float) -> None:
    adjusted = core_columns.adjust_threshold(0.2, n_current, n_reference)
    assert adjusted == pytest.approx(threshold, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_two_small_samples_of_one_distribution_do_not_drift(seed: int) -> None:
    few = sample(seed).groupby("grain").head(24)
    assert build_drift_report(few, sample(seed + 100), TESTS).share < 0.25


def test_two_halves_of_one_sample_do_not_drift() -> None:
    rows = pd.concat([sample(7), sample(8)], ignore_index=True)
    first = np.random.default_rng(0).permutation(len(rows)) % 2 == 0
    assert drifted(build_drift_report(rows[first], rows[~first], TESTS)) == set()


def test_a_shifted_number_drifts_by_its_distance_in_standard_deviations() -> None:
    reference = sample(1)
    report = build_drift_report(reference.assign(spread=reference["spread"] + 0.3), reference, TESTS)
    assert drifted(report) == {"spread"}
    assert report.share == pytest.approx(1 / 6)
    own = reference.loc[reference["grain"] == "customer", "spread"]
    score = report.table.set_index("column").loc["spread", "score"]
    assert score == pytest.approx(0.3 / own.std(ddof=0), rel=1e-3)


@pytest.mark.parametrize(("moved", "expected"), [(0.19, set()), (0.21, {"spread"})])
def test_the_threshold_of_a_column_decides(moved: float, expected: set[str]) -> None:
    reference = sample(1)
    own = reference.loc[reference["grain"] == "customer", "spread"]
    current = reference.assign(spread=reference["spread"] + moved * own.std(ddof=0))
    assert drifted(build_drift_report(current, reference, TESTS)) == expected


def test_another_mix_of_categories_drifts() -> None:
    reference = sample(1)
    current = reference.assign(shop=reference["shop"].replace("KIOSCO", "RESTAURANT"))
    assert drifted(build_drift_report(current, reference, TESTS)) == {"shop"}


def test_a_new_category_drifts() -> None:
    reference = sample(1)
    current = reference.assign(brand=reference["brand"].replace("Brand 2", "Brand 9"))
    assert drifted(build_drift_report(current, reference, TESTS)) == {"brand"}


def test_a_column_is_tested_only_on_the_rows_of_its_grain() -> None:
    reference = sample(1)
    products = reference["grain"] == "product"
    current = reference.copy()
    current.loc[products, ["orders", "spread", "gap"]] += 50
    current.loc[~products, "sold"] += 50
    assert drifted(build_drift_report(current, reference, TESTS)) == set()


def test_one_drifted_column_of_many_stays_below_the_share_that_asks_for_training() -> None:
    reference = sample(1)
    names = [f"calm_{number}" for number in range(9)]
    reference = reference.assign(**dict.fromkeys(names, reference["orders"]))
    columns = [NUMBER(name, "customer") for name in [*names, "spread"]]
    report = build_drift_report(reference.assign(spread=reference["spread"] + 5), reference, columns)
    assert report.share == pytest.approx(0.1)


def test_the_table_has_a_row_for_each_tested_column_in_order_and_the_page_draws_them() -> None:
    report = build_drift_report(sample(1), sample(2), TESTS)
    columns = report.table[["column", "grain", "method"]]
    assert columns.to_numpy().tolist() == [[test.column, test.grain, test.method] for test in TESTS]
    assert report.html.lstrip().lower().startswith("<!doctype html>")
    assert all(test.column in report.html for test in TESTS)


def rows_of(n_values: int, n: int, grain: str = "customer", **more: float) -> pd.DataFrame:
    """Return `n` rows of a grain with so many gaps that are not null; other columns are 1 or as in `more`."""
    gap = np.where(np.arange(n) < n_values, 1.0, np.nan)
    return pd.DataFrame({"grain": grain, "orders": 1.0, "gap": gap, **more}, index=range(n))


GAPS = [NUMBER("orders", "customer"), NUMBER("gap", "customer")]


@pytest.mark.parametrize(
    ("n_rows", "n_values", "expected"),
    [
        (3, 17, 2.1),  # three customers, and 24 rows of the reference of which 17 have a value
        (20, 39, 4.9),  # 20 customers, and 160 rows
    ],
)
def test_a_column_that_chance_left_empty_is_left_out_and_named(
    n_rows: int, n_values: int, expected: float
) -> None:
    few, reference = rows_of(0, n_rows), rows_of(n_values, 8 * n_rows)
    report = build_drift_report(few, reference, GAPS)
    assert report.table["column"].tolist() == ["orders"]
    assert report.left_out == {"gap": f"no value this week, of {expected} to be expected"}
    assert f"Not tested: gap (no value this week, of {expected} to be expected)." in report.html
    # With the samples exchanged the reference is the small side.
    assert build_drift_report(reference, few, GAPS).left_out == {
        "gap": f"no value in the reference, of {expected} to be expected"
    }


def test_a_column_that_chance_did_not_leave_empty_is_an_error() -> None:
    with pytest.raises(SodaiError, match="drift of gap: found 0 current and 40 reference values"):
        build_drift_report(rows_of(0, 20), rows_of(40, 160), GAPS)


@pytest.mark.parametrize(
    ("name", "witness"),
    [
        ("product_share_1w", "product_buyers_1w"),
        ("product_family_share_1w", "product_buyers_1w"),
        ("product_brand_size_share_1w", "product_buyers_1w"),
        ("product_repeat_rate", "product_buyers_2nd_week"),
        ("product_type_lift_4w", "product_buyers_4w"),
    ],
)
def test_a_feature_that_is_null_because_the_business_was_closed_is_left_out(name: str, witness: str) -> None:
    columns = [NUMBER(name, "product"), NUMBER(witness, "product")]
    closed = rows_of(0, 200, "product", **{name: np.nan, witness: 0.0})
    usual = rows_of(0, 200, "product", **{name: 0.5, witness: 3.0})
    report = build_drift_report(closed, usual, columns)
    assert report.table["column"].tolist() == [witness]
    assert report.left_out == {name: f"no value this week, where {witness} is 0 throughout"}
    assert build_drift_report(usual, closed, columns).left_out == {
        name: f"no value in the reference, where {witness} is 0 throughout"
    }
    # One product was sold: the nulls have no reason any more.
    closed.loc[7, witness] = 1.0
    with pytest.raises(SodaiError, match=f"drift of {name}: found 0 current and 200 reference values"):
        build_drift_report(closed, usual, columns)


def test_the_table_and_the_distance_of_the_predictions_have_the_sizes_of_the_samples() -> None:
    predictions = NUMBER(PREDICTION, "customer")
    current, reference = (sample(seed).assign(**{PREDICTION: lambda rows: rows["spread"]}) for seed in (1, 2))
    report = build_drift_report(current.groupby("grain").head(24), reference, [*TESTS, predictions])
    sizes = report.table.set_index("column")[["n_current", "n_reference"]]
    assert sizes.loc["orders"].tolist() == [24, 400]
    assert sizes.loc["sold"].tolist() == [24, 200]
    assert sizes.loc["gap", "n_reference"] == reference["gap"].head(400).count()
    assert report.prediction is not None
    assert (report.prediction.n_current, report.prediction.n_reference) == (24, 400)
    assert report.prediction.value == pytest.approx(report.table.set_index("column").loc[PREDICTION, "score"])
    assert build_drift_report(current, reference, TESTS).prediction is None


@pytest.mark.parametrize("side", ["current", "reference"])
def test_a_column_without_values_on_one_side_is_an_error_and_not_drift(side: str) -> None:
    sides = {"current": sample(1), "reference": sample(2)}
    sides[side]["gap"] = np.nan
    with pytest.raises(
        SodaiError, match=r"drift of gap: found .* expected some on both sides; .*, or train again: "
    ):
        build_drift_report(sides["current"], sides["reference"], TESTS)


def test_a_column_without_values_on_both_sides_is_left_out() -> None:
    empty = sample(1).assign(gap=np.nan)
    report = build_drift_report(empty, empty, TESTS)
    assert report.table["column"].tolist() == ["orders", "spread", "shop", "sold", "brand"]
    assert report.left_out == {"gap": "no value on either side"}


def test_every_feature_is_tested_or_has_a_reason_why_not() -> None:
    tested = [test.column for test in core_columns.list_drift_tests()]
    names = [feature.name for feature in FEATURES]
    time = {feature.name for feature in FEATURES if feature.group == "time"}
    assert set(NOT_TESTED) <= set(names)
    assert sorted([*tested, *NOT_TESTED, *time]) == sorted([PREDICTION, *names])
    assert all(reason.strip() for reason in NOT_TESTED.values())


def test_product_features_are_tested_on_products_and_all_others_on_customers() -> None:
    groups = {feature.name: feature.group for feature in FEATURES}
    for test in core_columns.list_drift_tests():
        of_product = groups.get(test.column) == "product"
        assert test.grain == ("product" if of_product else "customer")


def pairs() -> pd.DataFrame:
    """Return every pair of 40 customers and 15 products, with a value that identifies it."""
    customer, product = np.divmod(np.arange(600), 15)
    return pd.DataFrame(
        {"customer_id": customer, "product_id": product, "value": np.arange(600, dtype=np.float64)}
    )


def test_the_sample_has_one_row_per_customer_and_one_per_product() -> None:
    drawn = sample_one_per_entity(pairs(), seed=0)
    customers, products = (drawn[drawn["grain"] == grain] for grain in ("customer", "product"))
    assert customers["customer_id"].tolist() == list(range(40))
    assert products["product_id"].tolist() == list(range(15))
    assert (drawn["value"] == drawn["customer_id"] * 15 + drawn["product_id"]).all()


def test_a_customer_with_many_candidates_weighs_as_much_as_one_with_few() -> None:
    # Four customers of 40 keep 15 candidates each, all others one.
    table = pairs()
    few = table[(table["customer_id"] < 4) | (table["product_id"] == 0)]
    drawn = sample_one_per_entity(few, seed=0)
    customers = drawn[drawn["grain"] == "customer"]
    assert (customers["customer_id"] < 4).mean() == pytest.approx(0.1)


def test_doubling_the_rows_of_a_customer_changes_no_figure_of_customers() -> None:
    def orders_of(table: pd.DataFrame) -> list[float]:
        drawn = sample_one_per_entity(table.assign(orders=table["customer_id"] % 7), seed=0)
        return drawn.loc[drawn["grain"] == "customer", "orders"].tolist()

    table = pairs()
    doubled = pd.concat([table, table[table["customer_id"] == 3]], ignore_index=True)
    assert orders_of(doubled) == orders_of(table)


def test_the_order_of_the_candidates_changes_no_row_and_another_seed_does() -> None:
    drawn = sample_one_per_entity(pairs(), seed=0)
    reversed_rows = sample_one_per_entity(pairs().iloc[::-1], seed=0)
    pd.testing.assert_frame_equal(drawn, reversed_rows)
    assert not drawn.equals(sample_one_per_entity(pairs(), seed=1))
