"""Which rows a model learns from and how much each counts: rolling origin, fading, sampling."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain_model.core_rows import (
    FADING,
    SMALLEST_SHARE,
    Fold,
    Rows,
    faded,
    lists_of,
    periods_back,
    rolling_folds,
    sampled,
)

MONDAYS = pd.date_range("2024-02-26", periods=8, freq="7D")
ROWS_A_PERIOD, ROWS_A_LIST = 50, 5


def table(
    cutoffs: Sequence[pd.Timestamp] = MONDAYS,
) -> tuple[pd.DataFrame, np.ndarray, pd.Series, np.ndarray]:
    """X with each row's period and number, y with one bought row in ten, the cutoffs, lists of five rows."""
    cutoff = pd.Series(np.repeat(np.asarray(cutoffs, dtype="datetime64[us]"), ROWS_A_PERIOD))
    y = (np.arange(len(cutoff)) % 10 == 0).astype(np.int8)
    X = pd.DataFrame({"day": cutoff.astype("int64"), "row": np.arange(len(cutoff))})
    return X, y, cutoff, np.arange(len(cutoff)) // ROWS_A_LIST


def folds(n_folds: int, cutoffs: Sequence[pd.Timestamp] = MONDAYS, max_rows: int = 10_000) -> list[Fold]:
    return rolling_folds(*table(cutoffs), n_folds, 7, max_rows, np.random.default_rng(0))


def days(rows: Rows) -> set[pd.Timestamp]:
    return set(pd.to_datetime(rows.X["day"], unit="us"))


def test_folds_test_the_newest_periods_newest_first() -> None:
    assert [fold.cutoff for fold in folds(3)] == list(MONDAYS[:-4:-1])


def test_each_fold_learns_from_all_earlier_periods_and_from_no_later_one() -> None:
    for fold in folds(7):
        assert days(fold.valid) == {fold.cutoff}
        assert days(fold.train) == {monday for monday in MONDAYS if monday < fold.cutoff}
        assert max(days(fold.train)) + pd.Timedelta(days=7) <= fold.cutoff


def test_the_oldest_period_is_never_tested_because_nothing_lies_before_it() -> None:
    assert [fold.cutoff for fold in folds(12)] == list(MONDAYS[:0:-1])
    assert [fold.cutoff for fold in folds(3, MONDAYS[:2])] == [MONDAYS[1]]


def test_a_fold_has_something_bought_to_learn_from() -> None:
    X, y, cutoff, group = table()
    y = np.where(cutoff < MONDAYS[5], 0, y).astype(np.int8)
    found = rolling_folds(X, y, cutoff, group, 7, 7, 10_000, np.random.default_rng(0))
    assert [fold.cutoff for fold in found] == [MONDAYS[7], MONDAYS[6]]
    assert all(fold.train.y.any() for fold in found)


@pytest.mark.parametrize("value", [0, 1])
def test_a_period_with_one_class_is_not_tested_and_still_learnt_from(value: int) -> None:
    X, y, cutoff, group = table()
    y = np.where(cutoff.isin([MONDAYS[3], MONDAYS[6]]), value, y).astype(np.int8)
    found = rolling_folds(X, y, cutoff, group, 3, 7, 10_000, np.random.default_rng(0))
    assert [fold.cutoff for fold in found] == [MONDAYS[7], MONDAYS[5], MONDAYS[4]]
    assert MONDAYS[6] in days(found[0].train)


def test_where_only_the_first_period_has_purchases_there_is_no_fold() -> None:
    X, y, cutoff, group = table()
    y = np.where(cutoff > MONDAYS[0], 0, y).astype(np.int8)
    assert rolling_folds(X, y, cutoff, group, 3, 7, 10_000, np.random.default_rng(0)) == []


def test_a_tested_period_is_complete_unweighted_and_in_its_order() -> None:
    fold = folds(1, max_rows=40)[0]
    assert fold.valid.X["row"].tolist() == list(range(7 * ROWS_A_PERIOD, 8 * ROWS_A_PERIOD))
    assert fold.valid.weight.tolist() == [1.0] * ROWS_A_PERIOD
    assert fold.valid.y.sum() == 5


def test_rows_in_any_order_give_folds_of_the_same_rows() -> None:
    X, y, cutoff, group = table()
    order = np.random.default_rng(3).permutation(len(y))
    mixed = rolling_folds(
        X.iloc[order].reset_index(drop=True),
        y[order],
        cutoff.iloc[order].reset_index(drop=True),
        group[order],
        *(3, 7, 10_000),
        np.random.default_rng(0),
    )
    for fold, other in zip(folds(3), mixed, strict=True):
        assert fold.cutoff == other.cutoff
        for one, two in ((fold.train, other.train), (fold.valid, other.valid)):
            assert dict(
                zip(one.X["row"], zip(one.y, one.weight, one.group, strict=True), strict=True)
            ) == dict(zip(two.X["row"], zip(two.y, two.weight, two.group, strict=True), strict=True))


@pytest.mark.parametrize("max_rows", [10_000, 200])
def test_every_row_keeps_its_list_and_lists_stay_together(max_rows: int) -> None:
    for fold in folds(7, max_rows=max_rows):
        for part in (fold.train, fold.valid):
            assert part.group.tolist() == (part.X["row"] // ROWS_A_LIST).tolist()
            assert (np.diff(part.group) >= 0).all()
        assert not set(fold.train.group) & set(fold.valid.group)


def test_a_list_is_a_customer_in_a_period() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-03-25"] * 4 + ["2024-04-01"] * 3))
    # The last customer of the first period is the first of the second.
    customer_id = np.array([7, 7, 8, 9, 9, 9, 12])
    assert lists_of(cutoff, customer_id).tolist() == [1, 1, 2, 3, 4, 4, 5]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_rows_share_a_list_if_they_share_period_and_customer(rows: list[tuple[int, int]]) -> None:
    ordered = sorted(rows)
    cutoff = pd.Series([MONDAYS[period] for period, _ in ordered])
    lists = lists_of(cutoff, np.array([customer for _, customer in ordered]))
    numbers = {key: place for place, key in enumerate(sorted(set(rows)), start=1)}
    assert lists.tolist() == [numbers[key] for key in ordered]


def test_the_period_before_the_tested_one_counts_most_and_each_before_it_less() -> None:
    train = folds(1)[0].train
    weight = pd.Series(train.weight, index=pd.to_datetime(train.X["day"], unit="us"))
    expected = {monday: FADING ** (7 - position) for position, monday in enumerate(MONDAYS[:-1])}
    assert weight.groupby(level=0).agg(["min", "max"]).to_numpy() == pytest.approx(
        np.array([[value, value] for value in expected.values()])
    )


def test_fading_counts_whole_steps_back() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-03-25", "2024-03-11", "2024-02-26"]))
    assert periods_back(cutoff, pd.Timestamp("2024-03-25"), 14).tolist() == [0, 1, 2]
    assert faded(cutoff, pd.Timestamp("2024-03-25"), 14) == pytest.approx([1.0, 0.93, 0.8649])


def rows(n_bought: int, n_negative: int) -> Rows:
    n = n_bought + n_negative
    y = (np.arange(n) < n_bought).astype(np.int8)
    return Rows(pd.DataFrame({"row": np.arange(n)}), y, np.full(n, 0.5), np.arange(n) // ROWS_A_LIST)


def test_few_enough_rows_stay_as_they_are() -> None:
    few = rows(100, 900)
    assert sampled(few, 1000, np.random.default_rng(0)) is few


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_keeps_every_bought_row_and_the_weight_of_the_others(seed: int) -> None:
    full = rows(1_000, 99_000)
    kept = sampled(full, 40_000, np.random.default_rng(seed))

    assert kept.X["row"].tolist()[:1_000] == list(range(1_000))
    # 39,000 of 99,000 are wanted: a standard deviation is sqrt(99000 * 39/99 * 60/99) = 154 rows.
    assert len(kept.y) == pytest.approx(40_000, abs=5 * 154)
    bought = kept.y == 1
    assert kept.weight[bought].tolist() == [0.5] * 1_000
    assert kept.weight[~bought] == pytest.approx(0.5 * 99 / 39)
    # The sum over negatives is 49,500; one row more or less moves it by 1.27.
    assert kept.weight[~bought].sum() == pytest.approx(49_500, abs=5 * 154 * 1.27)


@pytest.mark.parametrize("seed", range(3))
def test_where_a_part_of_the_negatives_is_still_too_much_whole_lists_are_drawn(seed: int) -> None:
    # Lists of 20 rows with two bought ones, 5,000 of them: 30 % of the negatives leave 37,000 rows.
    n = 100_000
    y = (np.arange(n) % 10 == 0).astype(np.int8)
    full = Rows(pd.DataFrame({"row": np.arange(n)}), y, np.full(n, 0.5), np.arange(n) // 20)
    kept = sampled(full, 7_400, np.random.default_rng(seed))

    # A fifth of the lists: 1,000 of 5,000, a standard deviation is 28 lists of 7.4 rows.
    assert len(kept.y) == pytest.approx(7_400, abs=5 * 28 * 7.4)
    lists, counts = np.unique(kept.group, return_counts=True)
    assert len(lists) == pytest.approx(1_000, abs=5 * 28)
    assert (np.bincount(kept.group, weights=kept.y)[lists] == 2).all()
    assert counts.mean() == pytest.approx(2 + 18 * SMALLEST_SHARE, rel=0.05)
    assert kept.weight[kept.y == 1] == pytest.approx(0.5)
    assert kept.weight[kept.y == 0] == pytest.approx(0.5 / SMALLEST_SHARE)
    assert (np.diff(kept.X["row"]) > 0).all()


def test_samples_on_average_weigh_what_the_whole_weighs() -> None:
    full = Rows(rows(10, 990).X, rows(10, 990).y, np.linspace(0.1, 1.0, 1_000), rows(10, 990).group)
    rng = np.random.default_rng(0)
    sums = [sampled(full, 400, rng).weight.sum() for _ in range(400)]
    assert np.mean(sums) == pytest.approx(full.weight.sum(), rel=0.02)
