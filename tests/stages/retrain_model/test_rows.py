"""Which rows a model learns from and how much each counts: rolling origin, fading, sampling."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from retrain_model.core_rows import FADING, Fold, Rows, faded, periods_back, rolling_folds, sampled

MONDAYS = pd.date_range("2024-02-26", periods=8, freq="7D")
ROWS_A_PERIOD = 50


def table(cutoffs: Sequence[pd.Timestamp] = MONDAYS) -> tuple[pd.DataFrame, np.ndarray, pd.Series]:
    """X with a column that tells each row's period, y with one bought row in ten, and the cutoffs."""
    cutoff = pd.Series(np.repeat(np.asarray(cutoffs, dtype="datetime64[us]"), ROWS_A_PERIOD))
    y = (np.arange(len(cutoff)) % 10 == 0).astype(np.int8)
    return pd.DataFrame({"day": cutoff.astype("int64"), "row": np.arange(len(cutoff))}), y, cutoff


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


def test_a_tested_period_is_complete_unweighted_and_in_its_order() -> None:
    fold = folds(1, max_rows=40)[0]
    assert fold.valid.X["row"].tolist() == list(range(7 * ROWS_A_PERIOD, 8 * ROWS_A_PERIOD))
    assert fold.valid.weight.tolist() == [1.0] * ROWS_A_PERIOD
    assert fold.valid.y.sum() == 5


def test_rows_in_any_order_give_folds_of_the_same_rows() -> None:
    X, y, cutoff = table()
    order = np.random.default_rng(3).permutation(len(y))
    mixed = rolling_folds(
        X.iloc[order].reset_index(drop=True),
        y[order],
        cutoff.iloc[order].reset_index(drop=True),
        *(3, 7, 10_000),
        np.random.default_rng(0),
    )
    for fold, other in zip(folds(3), mixed, strict=True):
        assert fold.cutoff == other.cutoff
        for one, two in ((fold.train, other.train), (fold.valid, other.valid)):
            assert dict(zip(one.X["row"], zip(one.y, one.weight, strict=True), strict=True)) == dict(
                zip(two.X["row"], zip(two.y, two.weight, strict=True), strict=True)
            )


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
    return Rows(pd.DataFrame({"row": np.arange(n)}), y, np.full(n, 0.5))


def test_few_enough_rows_stay_as_they_are() -> None:
    few = rows(100, 900)
    assert sampled(few, 1000, np.random.default_rng(0)) is few


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_keeps_every_bought_row_and_the_weight_of_the_others(seed: int) -> None:
    full = rows(1_000, 99_000)
    kept = sampled(full, 10_000, np.random.default_rng(seed))

    assert kept.X["row"].tolist()[:1_000] == list(range(1_000))
    # 9,000 of 99,000 are wanted: a standard deviation is sqrt(99000 * 1/11 * 10/11) = 90 rows.
    assert len(kept.y) == pytest.approx(10_000, abs=5 * 90)
    bought = kept.y == 1
    assert kept.weight[bought].tolist() == [0.5] * 1_000
    assert kept.weight[~bought] == pytest.approx(0.5 * 11)
    # The sum over negatives is 49,500; one row more or less moves it by 5.5.
    assert kept.weight[~bought].sum() == pytest.approx(49_500, abs=5 * 90 * 5.5)


def test_samples_on_average_weigh_what_the_whole_weighs() -> None:
    full = Rows(rows(10, 990).X, rows(10, 990).y, np.linspace(0.1, 1.0, 1_000))
    rng = np.random.default_rng(0)
    sums = [sampled(full, 250, rng).weight.sum() for _ in range(400)]
    assert np.mean(sums) == pytest.approx(full.weight.sum(), rel=0.02)


def test_with_more_bought_rows_than_wanted_a_quarter_of_the_wanted_rows_are_others() -> None:
    kept = sampled(rows(5_000, 20_000), 4_000, np.random.default_rng(0))
    assert (kept.y == 1).sum() == 5_000
    assert (kept.y == 0).sum() == pytest.approx(1_000, abs=160)


def test_rows_that_are_all_bought_are_all_kept() -> None:
    assert len(sampled(rows(500, 0), 10, np.random.default_rng(0)).y) == 500
