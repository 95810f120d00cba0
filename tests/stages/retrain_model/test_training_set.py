"""The training set: its rolling-origin folds, its recency weights and its samples."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain_model.core_training_set import (
    RECENCY_DECAY,
    SMALLEST_NEGATIVE_SHARE,
    Fold,
    Rows,
    TrainingSet,
    number_groups,
    periods_back,
    recency_weights,
    sample_rows,
)

MONDAYS = pd.date_range("2024-02-26", periods=8, freq="7D")
ROWS_PER_PERIOD, ROWS_PER_GROUP = 50, 5


def training_set(cutoffs: Sequence[pd.Timestamp] = MONDAYS) -> TrainingSet:
    """X with each row's period and number, y with one bought row in ten, groups of five rows."""
    cutoff = pd.Series(np.repeat(np.asarray(cutoffs, dtype="datetime64[us]"), ROWS_PER_PERIOD))
    y = (np.arange(len(cutoff)) % 10 == 0).astype(np.int8)
    X = pd.DataFrame({"day": cutoff.astype("int64"), "row": np.arange(len(cutoff))})
    return TrainingSet(X, y, np.arange(len(cutoff)) // ROWS_PER_GROUP, cutoff, step_days=7, seed=0)


def folds(n_folds: int, cutoffs: Sequence[pd.Timestamp] = MONDAYS, max_rows: int = 10_000) -> list[Fold]:
    return training_set(cutoffs).folds(n_folds, max_rows)


def days(rows: Rows) -> set[pd.Timestamp]:
    return set(pd.to_datetime(rows.X["day"], unit="us"))


def test_folds_test_the_newest_periods_newest_first() -> None:
    assert [fold.cutoff for fold in folds(3)] == list(MONDAYS[:-4:-1])


def test_each_fold_trains_on_all_earlier_periods_and_on_no_later_one() -> None:
    for fold in folds(7):
        assert days(fold.valid) == {fold.cutoff}
        assert days(fold.train) == {monday for monday in MONDAYS if monday < fold.cutoff}
        assert max(days(fold.train)) + pd.Timedelta(days=7) <= fold.cutoff


def test_the_oldest_period_is_never_tested_because_there_is_none_before_it() -> None:
    assert [fold.cutoff for fold in folds(12)] == list(MONDAYS[:0:-1])
    assert [fold.cutoff for fold in folds(3, MONDAYS[:2])] == [MONDAYS[1]]


def test_a_fold_has_a_purchase_to_train_on() -> None:
    rows = training_set()
    rows = replace(rows, y=np.where(rows.cutoff < MONDAYS[5], 0, rows.y).astype(np.int8))
    folds = rows.folds(7, 10_000)
    assert [fold.cutoff for fold in folds] == [MONDAYS[7], MONDAYS[6]]
    assert all(fold.train.y.any() for fold in folds)


@pytest.mark.parametrize("value", [0, 1])
def test_a_period_with_one_class_is_not_tested_but_trained_on(value: int) -> None:
    rows = training_set()
    y = np.where(rows.cutoff.isin([MONDAYS[3], MONDAYS[6]]), value, rows.y).astype(np.int8)
    folds = replace(rows, y=y).folds(3, 10_000)
    assert [fold.cutoff for fold in folds] == [MONDAYS[7], MONDAYS[5], MONDAYS[4]]
    assert MONDAYS[6] in days(folds[0].train)


def test_where_only_the_first_period_has_purchases_there_is_no_fold() -> None:
    rows = training_set()
    y = np.where(rows.cutoff > MONDAYS[0], 0, rows.y).astype(np.int8)
    assert replace(rows, y=y).folds(3, 10_000) == []


def test_a_tested_period_is_complete_unweighted_and_in_its_order() -> None:
    fold = folds(1, max_rows=40)[0]
    assert fold.valid.X["row"].tolist() == list(range(7 * ROWS_PER_PERIOD, 8 * ROWS_PER_PERIOD))
    assert fold.valid.weight.tolist() == [1.0] * ROWS_PER_PERIOD
    assert fold.valid.y.sum() == 5


def test_rows_in_any_order_give_folds_of_the_same_rows() -> None:
    rows = training_set()
    order = np.random.default_rng(3).permutation(len(rows.y))
    mixed = TrainingSet(
        rows.X.iloc[order].reset_index(drop=True),
        rows.y[order],
        rows.group[order],
        rows.cutoff.iloc[order].reset_index(drop=True),
        step_days=7,
        seed=0,
    )
    for fold, other in zip(folds(3), mixed.folds(3, 10_000), strict=True):
        assert fold.cutoff == other.cutoff
        for one, two in ((fold.train, other.train), (fold.valid, other.valid)):
            assert dict(
                zip(one.X["row"], zip(one.y, one.weight, one.group, strict=True), strict=True)
            ) == dict(zip(two.X["row"], zip(two.y, two.weight, two.group, strict=True), strict=True))


@pytest.mark.parametrize("max_rows", [10_000, 200])
def test_every_row_keeps_its_group_and_groups_stay_together(max_rows: int) -> None:
    for fold in folds(7, max_rows=max_rows):
        for rows in (fold.train, fold.valid):
            assert rows.group.tolist() == (rows.X["row"] // ROWS_PER_GROUP).tolist()
            assert (np.diff(rows.group) >= 0).all()
        assert not set(fold.train.group) & set(fold.valid.group)


def test_a_group_is_a_customer_in_a_period() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-03-25"] * 4 + ["2024-04-01"] * 3))
    # The last customer of the first period is the first of the second.
    customer_id = np.array([7, 7, 8, 9, 9, 9, 12])
    assert number_groups(cutoff, customer_id).tolist() == [1, 1, 2, 3, 4, 4, 5]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_rows_share_a_group_if_they_share_period_and_customer(rows: list[tuple[int, int]]) -> None:
    ordered = sorted(rows)
    cutoff = pd.Series([MONDAYS[period] for period, _ in ordered])
    group = number_groups(cutoff, np.array([customer for _, customer in ordered]))
    numbers = {key: number for number, key in enumerate(sorted(set(rows)), start=1)}
    assert group.tolist() == [numbers[key] for key in ordered]


def test_the_period_before_the_tested_one_weighs_most_and_earlier_ones_less() -> None:
    train = folds(1)[0].train
    weight = pd.Series(train.weight, index=pd.to_datetime(train.X["day"], unit="us"))
    expected = {monday: RECENCY_DECAY ** (7 - position) for position, monday in enumerate(MONDAYS[:-1])}
    assert weight.groupby(level=0).agg(["min", "max"]).to_numpy() == pytest.approx(
        np.array([[value, value] for value in expected.values()])
    )


def test_recency_weights_count_whole_steps_back() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-03-25", "2024-03-11", "2024-02-26"]))
    assert periods_back(cutoff, pd.Timestamp("2024-03-25"), 14).tolist() == [0, 1, 2]
    assert recency_weights(cutoff, pd.Timestamp("2024-03-25"), 14) == pytest.approx([1.0, 0.93, 0.8649])


def rows(n_bought: int, n_negative: int) -> Rows:
    n = n_bought + n_negative
    y = (np.arange(n) < n_bought).astype(np.int8)
    return Rows(pd.DataFrame({"row": np.arange(n)}), y, np.full(n, 0.5), np.arange(n) // ROWS_PER_GROUP)


def sample(full: Rows, max_rows: int, seed: int) -> Rows:
    kept, weight = sample_rows(full.y, full.weight, full.group, max_rows, np.random.default_rng(seed))
    return Rows(full.X.iloc[kept], full.y[kept], weight, full.group[kept])


def test_few_enough_rows_are_all_kept_and_not_copied() -> None:
    few = rows(100, 900)
    kept, weight = sample_rows(few.y, few.weight, few.group, 1000, np.random.default_rng(0))
    assert kept.tolist() == list(range(1000))
    assert weight is few.weight
    whole = training_set()
    assert whole.sample(len(whole.y)).X is whole.X


def test_a_sample_of_a_training_set_is_that_of_its_rows_with_their_recency_weights() -> None:
    whole = training_set()
    weight = recency_weights(whole.cutoff, MONDAYS[-1], 7)
    expected = sample(Rows(whole.X, whole.y, weight, whole.group), 150, seed=0)
    rows = whole.sample(150)
    assert len(rows.y) < 300
    assert rows.X["row"].tolist() == expected.X["row"].tolist()
    assert rows.X.index.tolist() == list(range(len(rows.y)))
    for name in ("y", "weight", "group"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(expected, name))


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_keeps_every_bought_row_and_the_weight_of_the_others(seed: int) -> None:
    full = rows(1_000, 99_000)
    kept = sample(full, 40_000, seed)

    assert kept.X["row"].tolist()[:1_000] == list(range(1_000))
    # 39,000 of 99,000 are wanted: a standard deviation is sqrt(99000 * 39/99 * 60/99) = 154 rows.
    assert len(kept.y) == pytest.approx(40_000, abs=5 * 154)
    bought = kept.y == 1
    assert kept.weight[bought].tolist() == [0.5] * 1_000
    assert kept.weight[~bought] == pytest.approx(0.5 * 99 / 39)
    # The sum over negatives is 49,500; one row more or less moves it by 1.27.
    assert kept.weight[~bought].sum() == pytest.approx(49_500, abs=5 * 154 * 1.27)


@pytest.mark.parametrize("seed", range(3))
def test_where_sampled_negatives_are_still_too_many_whole_groups_are_sampled(seed: int) -> None:
    # 5,000 groups of 20 rows with two bought ones: 30 % of the negatives leave 37,000 rows.
    n = 100_000
    y = (np.arange(n) % 10 == 0).astype(np.int8)
    full = Rows(pd.DataFrame({"row": np.arange(n)}), y, np.full(n, 0.5), np.arange(n) // 20)
    kept = sample(full, 7_400, seed)

    # A fifth of the groups: 1,000 of 5,000, a standard deviation is 28 groups of 7.4 rows.
    assert len(kept.y) == pytest.approx(7_400, abs=5 * 28 * 7.4)
    groups, counts = np.unique(kept.group, return_counts=True)
    assert len(groups) == pytest.approx(1_000, abs=5 * 28)
    assert (np.bincount(kept.group, weights=kept.y)[groups] == 2).all()
    assert counts.mean() == pytest.approx(2 + 18 * SMALLEST_NEGATIVE_SHARE, rel=0.05)
    assert kept.weight[kept.y == 1] == pytest.approx(0.5)
    assert kept.weight[kept.y == 0] == pytest.approx(0.5 / SMALLEST_NEGATIVE_SHARE)
    assert (np.diff(kept.X["row"]) > 0).all()


def test_samples_on_average_weigh_as_much_as_all_rows() -> None:
    full = Rows(rows(10, 990).X, rows(10, 990).y, np.linspace(0.1, 1.0, 1_000), rows(10, 990).group)
    rng = np.random.default_rng(0)
    sums = [sample_rows(full.y, full.weight, full.group, 400, rng)[1].sum() for _ in range(400)]
    assert np.mean(sums) == pytest.approx(full.weight.sum(), rel=0.02)
