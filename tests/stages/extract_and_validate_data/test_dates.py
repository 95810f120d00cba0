"""Which of the newest weeks count when the first day to predict is looked for."""

from datetime import date, timedelta

import pytest

from extract_and_validate_data.core_dates import without_strays

MONDAY = date(2024, 1, 1)
USUAL = [100, 120, 80, 100]


def weeks(*n_purchases: int | None) -> list[tuple[date, int]]:
    """One week after the other, None for one without a purchase."""
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
    assert without_strays(weeks(*USUAL, *strays)) == weeks(*USUAL)


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
def test_after_a_pause_or_with_enough_of_a_usual_week_the_newest_count(newest: list[int | None]) -> None:
    assert without_strays(weeks(*USUAL, *newest)) == weeks(*USUAL, *newest)


@pytest.mark.parametrize("known", [[], [(MONDAY, 1)], weeks(1, *gap(40), 100)])
def test_with_little_before_them_none_is_a_stray(known: list[tuple[date, int]]) -> None:
    assert without_strays(known) == known
