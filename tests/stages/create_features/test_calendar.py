"""The calendar: days of rest, Good Friday compared with a published table, and the traits of a day."""

from datetime import date, timedelta

import numpy as np
import pytest

from create_features.core_calendar import N_TRAITS, day_traits, is_eve, is_ordinary, is_rest

# Easter Sunday from the table of the United States Naval Observatory, and the earliest and the latest
# possible one.
EASTER = [
    date(2015, 4, 5), date(2016, 3, 27), date(2017, 4, 16), date(2018, 4, 1), date(2019, 4, 21),
    date(2020, 4, 12), date(2021, 4, 4), date(2022, 4, 17), date(2023, 4, 9), date(2024, 3, 31),
    date(2025, 4, 20), date(2026, 4, 5), date(2027, 3, 28), date(2028, 4, 16), date(2029, 4, 1),
    date(2030, 4, 21), date(1818, 3, 22), date(1943, 4, 25), date(2038, 4, 25),
]  # fmt: skip


@pytest.mark.parametrize("easter", EASTER)
def test_the_friday_before_easter_is_the_one_day_of_rest_around_it(easter: date) -> None:
    around = [easter + timedelta(days=number) for number in range(-3, 3)]
    assert [day for day in around if is_rest(day)] == [easter - timedelta(days=2)]


def test_a_year_has_four_days_of_rest_and_two_eves() -> None:
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]
    rest = [date(2024, 1, 1), date(2024, 3, 29), date(2024, 5, 1), date(2024, 12, 25)]
    eves = [date(2024, 12, 24), date(2024, 12, 31)]
    assert [day for day in days if is_rest(day)] == rest
    assert [day for day in days if is_eve(day)] == eves
    assert [day for day in days if not is_ordinary(day)] == sorted([*rest, *eves])


@pytest.mark.parametrize(
    "day",
    [
        date(2024, 3, 30),  # Holy Saturday
        date(2024, 3, 31),  # Easter Sunday
        date(2024, 9, 18),  # national holidays of Chile
        date(2024, 9, 19),
        date(2024, 12, 26),
    ],
)
def test_shops_sell_as_on_any_day_on_other_feasts(day: date) -> None:
    assert is_ordinary(day)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # Rest, eve, after a rest, then the four weeks of a month.
        (date(2024, 6, 7), [0, 0, 0, 1, 0, 0, 0]),
        (date(2024, 6, 8), [0, 0, 0, 0, 1, 0, 0]),
        (date(2024, 6, 21), [0, 0, 0, 0, 0, 1, 0]),
        (date(2024, 6, 28), [0, 0, 0, 0, 0, 0, 1]),
        (date(2024, 6, 29), [0, 0, 0, 0, 0, 0, 0]),
        (date(2024, 1, 1), [1, 0, 0, 1, 0, 0, 0]),
        (date(2024, 1, 2), [0, 0, 1, 1, 0, 0, 0]),
        (date(2024, 3, 30), [0, 0, 1, 0, 0, 0, 0]),
        (date(2024, 12, 24), [0, 1, 0, 0, 0, 0, 1]),
        (date(2024, 12, 31), [0, 1, 0, 0, 0, 0, 0]),
    ],
)
def test_the_traits_of_a_day(day: date, expected: list[int]) -> None:
    assert day_traits([day]).tolist() == [expected]


@pytest.mark.parametrize("n_days", [0, 1, 400])
def test_traits_are_a_row_a_day_and_seven_columns_of_0_and_1(n_days: int) -> None:
    array = day_traits([date(2024, 1, 1) + timedelta(days=number) for number in range(n_days)])
    assert array.shape == (n_days, N_TRAITS) == (n_days, 7)
    assert array.dtype == np.float64
    assert set(np.unique(array)) <= {0.0, 1.0}
    # A day is in one week of its month at most.
    assert set(array[:, 3:].sum(axis=1)) <= {0.0, 1.0}
