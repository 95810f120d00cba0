"""Stray weeks and implausible years at either end of the purchases."""

from datetime import date, timedelta

import pytest

from sodai.data.date_outliers import drop_stray_weeks, plausible_weeks

MONDAY = date(2024, 1, 1)
USUAL = [100, 120, 80, 100]


def weeks(*n_purchases: int | None) -> list[tuple[date, int]]:
    """Return consecutive weeks, None for one without a purchase."""
    return [(MONDAY + timedelta(weeks=week), n) for week, n in enumerate(n_purchases) if n]


def gap(n_weeks: int) -> list[None]:
    return [None] * n_weeks


@pytest.mark.parametrize(
    "strays",
    [
        [*gap(8), 9],
        [*gap(47), 1, *gap(3), 2],
        [*gap(20), 3, *gap(20), 6],
    ],
)
def test_a_few_purchases_after_a_long_gap_are_strays(strays: list[int | None]) -> None:
    assert drop_stray_weeks(weeks(*USUAL, *strays)) == weeks(*USUAL)


@pytest.mark.parametrize(
    "newest",
    [
        [1],
        [*gap(7), 1],
        [*gap(8), 10],
        [*gap(30), 1, 80],
        [*gap(30), *[2] * 5],
    ],
)
def test_the_newest_weeks_stay_after_a_short_gap_or_with_enough_purchases(newest: list[int | None]) -> None:
    assert drop_stray_weeks(weeks(*USUAL, *newest)) == weeks(*USUAL, *newest)


@pytest.mark.parametrize(
    "strays",
    [
        [9, *gap(8)],
        [1, *gap(3), 2, *gap(47)],
        [6, *gap(20), 3, *gap(20)],
    ],
)
def test_a_few_purchases_before_a_long_gap_are_strays(strays: list[int | None]) -> None:
    n_weeks = len(strays)
    usual = [(week + timedelta(weeks=n_weeks), n) for week, n in weeks(*USUAL)]
    assert drop_stray_weeks(weeks(*strays, *USUAL)) == usual


@pytest.mark.parametrize(
    "oldest",
    [
        [1],
        [1, *gap(7)],
        [10, *gap(8)],
        [80, 1, *gap(30)],
        [*[2] * 5, *gap(30)],
    ],
)
def test_the_oldest_weeks_stay_before_a_short_gap_or_with_enough_purchases(
    oldest: list[int | None],
) -> None:
    assert drop_stray_weeks(weeks(*oldest, *USUAL)) == weeks(*oldest, *USUAL)


def test_strays_at_both_ends_are_dropped() -> None:
    both = weeks(1, *gap(50), *USUAL, *gap(50), 2)
    assert drop_stray_weeks(both) == both[1:-1]


@pytest.mark.parametrize("few", [[], [(MONDAY, 1)], weeks(1, *gap(7), 100)])
def test_with_few_weeks_none_is_a_stray(few: list[tuple[date, int]]) -> None:
    assert drop_stray_weeks(few) == few


def test_weeks_years_from_the_others_are_implausible_however_many_their_purchases() -> None:
    long_ago = [(MONDAY - timedelta(weeks=52 * 19), 90)]
    assert plausible_weeks([*long_ago, *weeks(*USUAL)]) == weeks(*USUAL)
    assert drop_stray_weeks([*long_ago, *weeks(*USUAL)]) == [*long_ago, *weeks(*USUAL)]
