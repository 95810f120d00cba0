"""Periods: the days that one run predicts, and the closed ones before them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sodai.data.periods import Period, parse_date, week_of
from sodai.errors import InputError

MONDAY = date(2025, 1, 6)
DAYS = st.dates(date(2001, 1, 1), date(2099, 12, 31))


def test_a_period_ends_on_the_day_the_next_one_begins() -> None:
    assert Period(MONDAY, 7).end == date(2025, 1, 13)


def test_the_evaluation_period_ends_on_the_day_the_predicted_one_begins() -> None:
    held_out = Period(MONDAY, 7).evaluation_period
    assert held_out == Period(MONDAY, 7).back(1) == Period(date(2024, 12, 30), 7)
    assert held_out.end == MONDAY


@pytest.mark.parametrize(
    ("horizon_days", "step_days"), [(1, 7), (5, 7), (7, 7), (8, 14), (14, 14), (15, 21), (28, 28)]
)
def test_a_step_is_whole_weeks(horizon_days: int, step_days: int) -> None:
    assert Period(MONDAY, horizon_days).step_days == step_days


@given(DAYS, st.integers(1, 28), st.integers(1, 30))
def test_periods_keep_their_weekday_and_never_overlap(day: date, horizon_days: int, periods: int) -> None:
    period = Period(day, horizon_days)
    earlier = period.back(periods)
    assert earlier.as_of.weekday() == day.weekday()
    assert earlier.end <= period.back(periods - 1).as_of
    assert period.back(0) == period
    assert earlier.horizon_days == horizon_days


@given(DAYS)
def test_the_monday_of_a_week_is_on_or_before_the_day(day: date) -> None:
    monday = week_of(day)
    assert monday.isoweekday() == 1
    assert 0 <= (day - monday).days < 7


def test_a_sunday_belongs_to_the_monday_before() -> None:
    assert week_of(date(2025, 1, 12)) == MONDAY
    assert week_of(MONDAY) == MONDAY


def test_a_date_is_read_as_written() -> None:
    assert parse_date("2025-01-06") == MONDAY


@pytest.mark.parametrize("text", ["", "06/01/2025", "2025-02-30", "2025-01", "tomorrow", "2025-01-06T00:00"])
def test_a_text_that_is_no_date_is_quoted_with_its_source(text: str) -> None:
    with pytest.raises(InputError, match=r"^--as-of: found '.*', expected a date as YYYY-MM-DD") as error:
        parse_date(text)
    assert repr(text) in str(error.value)
    with pytest.raises(InputError, match=r"^clientes\.parquet: found "):
        parse_date(text, "clientes.parquet")


@pytest.mark.parametrize("text", ["20250106", "2025-W02-1"])
def test_other_forms_of_iso_8601_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a date as YYYY-MM-DD"):
        parse_date(text)
