"""Evidently's report on made samples: chance is no drift, a shift is, and each column has its own grain."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from detect_data_drift import core_columns
from detect_data_drift.core_columns import NOT_TESTED
from detect_data_drift.report import DriftReport, drift_report
from sodai.data.feature_catalog import FEATURES
from sodai.errors import SodaiError
from sodai.evaluation.drift_sample import PREDICTION, sample_one_per_entity

N_CUSTOMERS, N_PRODUCTS = 400, 200
NUMBER = partial(core_columns.TestedColumn, method="wasserstein", threshold=0.2, categorical=False)
KIND = partial(core_columns.TestedColumn, method="jensenshannon", threshold=0.15, categorical=True)
COLUMNS = [
    NUMBER("orders", "customer"),
    NUMBER("spread", "customer"),
    NUMBER("gap", "customer"),
    KIND("shop", "customer"),
    NUMBER("sold", "product"),
    KIND("brand", "product"),
]


def sample(seed: int) -> pd.DataFrame:
    """One row a customer and one a product; half of the gaps are not known."""
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


def drifted(report: DriftReport) -> set[str]:
    return set(report.table.loc[report.table["drifted"], "column"])


@pytest.mark.parametrize("seed", range(3))
def test_two_samples_of_one_distribution_do_not_drift(seed: int) -> None:
    report = drift_report(sample(seed), sample(seed + 100), COLUMNS)
    assert drifted(report) == set()
    assert report.share == 0.0
    assert (report.table["score"] < report.table["threshold"]).all()


@pytest.mark.parametrize(
    ("n_current", "n_reference", "threshold"), [(1000, 8000, 0.2), (100, 100, 0.282843), (24, 192, 0.433013)]
)
def test_small_samples_must_lie_farther_apart(n_current: int, n_reference: int, threshold: float) -> None:
    found = core_columns.beyond_chance(0.2, n_current, n_reference)
    assert found == pytest.approx(threshold, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_two_small_samples_of_one_distribution_do_not_drift(seed: int) -> None:
    few = sample(seed).groupby("grain").head(24)
    assert drift_report(few, sample(seed + 100), COLUMNS).share < 0.25


def test_two_halves_of_one_sample_do_not_drift() -> None:
    rows = pd.concat([sample(7), sample(8)], ignore_index=True)
    first = np.random.default_rng(0).permutation(len(rows)) % 2 == 0
    assert drifted(drift_report(rows[first], rows[~first], COLUMNS)) == set()


def test_a_shifted_number_drifts_by_its_distance_in_standard_deviations() -> None:
    reference = sample(1)
    report = drift_report(reference.assign(spread=reference["spread"] + 0.3), reference, COLUMNS)
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
    assert drifted(drift_report(current, reference, COLUMNS)) == expected


def test_another_mix_of_kinds_drifts() -> None:
    reference = sample(1)
    current = reference.assign(shop=reference["shop"].replace("KIOSCO", "RESTAURANT"))
    assert drifted(drift_report(current, reference, COLUMNS)) == {"shop"}


def test_a_kind_that_was_never_seen_drifts() -> None:
    reference = sample(1)
    current = reference.assign(brand=reference["brand"].replace("Brand 2", "Brand 9"))
    assert drifted(drift_report(current, reference, COLUMNS)) == {"brand"}


def test_a_column_is_tested_on_the_rows_of_its_own_unit_alone() -> None:
    reference = sample(1)
    products = reference["grain"] == "product"
    current = reference.copy()
    current.loc[products, ["orders", "spread", "gap"]] += 50
    current.loc[~products, "sold"] += 50
    assert drifted(drift_report(current, reference, COLUMNS)) == set()


def test_one_drifted_column_of_many_stays_below_the_share_that_asks_for_training() -> None:
    reference = sample(1)
    names = [f"calm_{number}" for number in range(9)]
    reference = reference.assign(**dict.fromkeys(names, reference["orders"]))
    columns = [NUMBER(name, "customer") for name in [*names, "spread"]]
    report = drift_report(reference.assign(spread=reference["spread"] + 5), reference, columns)
    assert report.share == pytest.approx(0.1)


def test_the_table_has_a_row_for_each_tested_column_in_order_and_the_page_draws_them() -> None:
    report = drift_report(sample(1), sample(2), COLUMNS)
    columns = report.table[["column", "grain", "method"]]
    assert columns.to_numpy().tolist() == [[c.name, c.grain, c.method] for c in COLUMNS]
    assert report.html.lstrip().lower().startswith("<!doctype html>")
    assert all(column.name in report.html for column in COLUMNS)


def rows_of(n_values: int, n: int, grain: str = "customer", **more: float) -> pd.DataFrame:
    """`n` rows of a grain, of whose gaps so many are known; every other column is 1, or as `more` says."""
    gap = np.where(np.arange(n) < n_values, 1.0, np.nan)
    return pd.DataFrame({"grain": grain, "orders": 1.0, "gap": gap, **more}, index=range(n))


GAPS = [NUMBER("orders", "customer"), NUMBER("gap", "customer")]


@pytest.mark.parametrize(
    ("n_rows", "n_values", "expected"),
    [
        (3, 17, 2.1),  # three customers beside 24 rows of the reference, 17 of them with a value
        (20, 39, 4.9),  # 20 beside 160
    ],
)
def test_a_column_that_chance_left_empty_is_left_out_and_named(
    n_rows: int, n_values: int, expected: float
) -> None:
    few, reference = rows_of(0, n_rows), rows_of(n_values, 8 * n_rows)
    report = drift_report(few, reference, GAPS)
    assert report.table["column"].tolist() == ["orders"]
    assert report.left_out == {"gap": f"no value this week, of {expected} to be expected"}
    assert f"Not tested: gap (no value this week, of {expected} to be expected)." in report.html
    # The other way round the reference is the small side.
    assert drift_report(reference, few, GAPS).left_out == {
        "gap": f"no value in the reference, of {expected} to be expected"
    }


def test_a_column_that_chance_did_not_leave_empty_is_an_error() -> None:
    with pytest.raises(SodaiError, match="drift of gap: found 0 current and 40 reference values"):
        drift_report(rows_of(0, 20), rows_of(40, 160), GAPS)


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
def test_what_is_null_because_the_business_was_closed_is_left_out(name: str, witness: str) -> None:
    columns = [NUMBER(name, "product"), NUMBER(witness, "product")]
    closed = rows_of(0, 200, "product", **{name: np.nan, witness: 0.0})
    usual = rows_of(0, 200, "product", **{name: 0.5, witness: 3.0})
    report = drift_report(closed, usual, columns)
    assert report.table["column"].tolist() == [witness]
    assert report.left_out == {name: f"no value this week, where {witness} is 0 throughout"}
    assert drift_report(usual, closed, columns).left_out == {
        name: f"no value in the reference, where {witness} is 0 throughout"
    }
    # One product sold: the null is no longer what it ought to be.
    closed.loc[7, witness] = 1.0
    with pytest.raises(SodaiError, match=f"drift of {name}: found 0 current and 200 reference values"):
        drift_report(closed, usual, columns)


def test_the_table_and_the_distance_of_the_answers_tell_how_many_values_they_are_of() -> None:
    answers = NUMBER(PREDICTION, "customer")
    current, reference = (sample(seed).assign(**{PREDICTION: lambda rows: rows["spread"]}) for seed in (1, 2))
    report = drift_report(current.groupby("grain").head(24), reference, [*COLUMNS, answers])
    sizes = report.table.set_index("column")[["n_current", "n_reference"]]
    assert sizes.loc["orders"].tolist() == [24, 400]
    assert sizes.loc["sold"].tolist() == [24, 200]
    assert sizes.loc["gap", "n_reference"] == reference["gap"].head(400).count()
    assert report.prediction is not None
    assert (report.prediction.n_current, report.prediction.n_reference) == (24, 400)
    assert report.prediction.value == pytest.approx(report.table.set_index("column").loc[PREDICTION, "score"])
    assert drift_report(current, reference, COLUMNS).prediction is None


@pytest.mark.parametrize("side", ["current", "reference"])
def test_a_column_without_values_on_one_side_is_an_error_and_no_drift(side: str) -> None:
    sides = {"current": sample(1), "reference": sample(2)}
    sides[side]["gap"] = np.nan
    with pytest.raises(
        SodaiError, match=r"drift of gap: found .* expected some on both sides; .*, or train again: "
    ):
        drift_report(sides["current"], sides["reference"], COLUMNS)


def test_a_column_without_values_on_both_sides_is_left_out() -> None:
    empty = sample(1).assign(gap=np.nan)
    report = drift_report(empty, empty, COLUMNS)
    assert report.table["column"].tolist() == ["orders", "spread", "shop", "sold", "brand"]
    assert report.left_out == {"gap": "no value on either side"}


def test_every_feature_is_tested_or_named_with_the_reason_why_not() -> None:
    tested = [column.name for column in core_columns.tested_columns()]
    names = [feature.name for feature in FEATURES]
    time = {feature.name for feature in FEATURES if feature.group == "time"}
    assert set(NOT_TESTED) <= set(names)
    assert sorted([*tested, *NOT_TESTED, *time]) == sorted([PREDICTION, *names])
    assert all(reason.strip() for reason in NOT_TESTED.values())


def test_product_features_are_tested_on_products_and_all_others_on_customers() -> None:
    groups = {feature.name: feature.group for feature in FEATURES}
    for column in core_columns.tested_columns():
        of_product = groups.get(column.name) == "product"
        assert column.grain == ("product" if of_product else "customer")


def pairs() -> pd.DataFrame:
    """Every pair of 40 customers and 15 products, with a value that tells the pair."""
    customer, product = np.divmod(np.arange(600), 15)
    return pd.DataFrame(
        {"customer_id": customer, "product_id": product, "value": np.arange(600, dtype=np.float64)}
    )


def test_there_is_one_row_a_customer_and_one_a_product() -> None:
    drawn = sample_one_per_entity(pairs(), seed=0)
    customers, products = (drawn[drawn["grain"] == grain] for grain in ("customer", "product"))
    assert customers["customer_id"].tolist() == list(range(40))
    assert products["product_id"].tolist() == list(range(15))
    assert (drawn["value"] == drawn["customer_id"] * 15 + drawn["product_id"]).all()


def test_a_customer_with_many_candidates_weighs_as_much_as_one_with_few() -> None:
    # Customer 0 keeps 15 candidates, all others one: a tenth of the customers has the rest of the rows.
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
    turned = sample_one_per_entity(pairs().iloc[::-1], seed=0)
    pd.testing.assert_frame_equal(drawn, turned)
    assert not drawn.equals(sample_one_per_entity(pairs(), seed=1))
