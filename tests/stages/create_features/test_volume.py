"""The forecast of a period's volume: what is counted, what a holiday does, and that nothing later counts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from create_features.core_calendar import is_rest
from create_features.core_history import History, history_before
from create_features.core_volume import (
    DECAY,
    PERIODS_LOOKED_BACK,
    Forecast,
    calendar_effects,
    drop_old_stray_days,
    forecast,
    forecast_table,
    forecasts_of,
    pairs_by_day,
    pairs_by_period,
)
from sodai.data.catalog import FORECASTS
from sodai.data.periods import Period
from sodai.evaluation.realised_demand import realised_demand
from stages.create_features.conftest import MakeTable

AS_OF = date(2024, 9, 16)
# Half a year without a day of rest, so that the calendar has nothing to say.
QUIET_SINCE = date(2024, 5, 6)
COLUMNS = ["purchase_date", "customer_id", "product_id"]


def _daily(first: date, volumes: list[float] | np.ndarray) -> pd.Series:
    return pd.Series(list(volumes), [first + timedelta(days=number) for number in range(len(volumes))])


def _by_day(first: date, n_days: int, volume: Callable[[date], float]) -> pd.Series:
    days = [first + timedelta(days=number) for number in range(n_days)]
    return pd.Series([volume(day) for day in days], days)


def _realised(daily: pd.Series, period: Period) -> dict[date, int]:
    """Sums of the days of earlier periods, which are whole."""
    past = [period.back(steps) for steps in range(1, 60)]
    return {
        each.as_of: int(daily[(daily.index >= each.as_of) & (daily.index < each.end)].sum())
        for each in past
        if each.as_of >= daily.index[0]
    }


def _history(table: MakeTable, lines: Sequence[tuple[date, int, int]]) -> History:
    """What was known before AS_OF."""
    return history_before(table([*COLUMNS, "n_units"], [(*line, 1.0) for line in lines]), AS_OF)


def test_a_pair_counts_once_a_day(table: MakeTable) -> None:
    lines = _aged((2, 1, 5), (2, 1, 5), (2, 1, 6), (2, 2, 5), (1, 1, 5))
    found = pairs_by_day(_history(table, lines)).to_pyarrow().to_pylist()
    assert {row["age_days"]: row["n_pairs"] for row in found} == {2: 3, 1: 1}


def _aged(*lines: tuple[int, int, int]) -> list[tuple[date, int, int]]:
    return [(AS_OF - timedelta(days=age), customer, product) for age, customer, product in lines]


def _by_steps(made: pd.DataFrame) -> dict[int, int]:
    return dict(zip(made["steps"], made["n_pairs"], strict=True))


# Ages in days: 1 to 7 are the newest week; nothing was bought in the third.
AGED = _aged(
    *((1, 1, 5), (2, 4, 4), (4, 6, 6), (7, 1, 5), (7, 2, 5)),
    *((8, 1, 5), (11, 3, 6), (14, 3, 5)),
    *((22, 1, 5), (28, 9, 9)),
    *((0, 7, 7), (-3, 8, 8)),
)


@pytest.mark.parametrize(
    ("horizon_days", "expected"),
    [
        (7, {1: 4, 2: 3, 4: 2}),
        # The five days from the same week day: ages 3 to 7, 10 to 14, 24 to 28.
        (5, {1: 3, 2: 2, 4: 1}),
        # Ten days of every two weeks: ages 5 to 14, 19 to 28; pair 1, 5 counts once in each.
        (10, {1: 4, 2: 2}),
        (28, {1: 7}),
    ],
)
def test_a_pair_counts_once_a_period_of_the_same_kind(
    table: MakeTable, horizon_days: int, expected: dict[int, int]
) -> None:
    found = pairs_by_period(_history(table, AGED), Period(AS_OF, horizon_days)).to_pandas()
    assert _by_steps(found) == expected
    # The stages that compare with purchases count them from the purchases themselves.
    purchases = pd.DataFrame(AGED, columns=["purchase_date", "customer_id", "product_id"])
    steps = {Period(AS_OF, horizon_days).back(step).as_of: step for step in range(1, 5)}
    demand = realised_demand(purchases, steps, horizon_days)
    assert demand == {cutoff: expected.get(step, 0) for cutoff, step in steps.items()}


def test_purchases_from_the_cutoff_on_are_in_no_period(table: MakeTable) -> None:
    period = Period(AS_OF, 7)
    known = [line for line in AGED if line[0] < AS_OF]
    assert len(known) == len(AGED) - 2
    found, expected = (
        _by_steps(pairs_by_period(_history(table, lines), period).to_pandas()) for lines in (AGED, known)
    )
    assert found == expected


@pytest.mark.parametrize("horizon_days", [1, 5, 7, 10, 28])
@pytest.mark.parametrize("volume", [0, 1, 40, 9_000])
def test_a_constant_volume_goes_on(volume: int, horizon_days: int) -> None:
    daily = _daily(QUIET_SINCE, [volume] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, horizon_days)
    found = forecast(daily, _realised(daily, period), period)
    assert found.calendar == pytest.approx(1)
    assert found.expected_pairs == pytest.approx(volume * horizon_days, abs=1e-6)
    assert found.realised_pairs is None


def test_a_rhythm_of_the_week_goes_on() -> None:
    of_weekday = [30, 50, 20, 80, 60, 10, 0]
    daily = _by_day(QUIET_SINCE, (AS_OF - QUIET_SINCE).days, lambda day: of_weekday[day.weekday()])
    five_days = Period(date(2024, 9, 11), 5)
    found = forecast(daily, _realised(daily, five_days), five_days)
    assert found.expected_pairs == pytest.approx(20 + 80 + 60 + 10 + 0)


def test_newer_periods_count_more_and_a_surge_is_bounded() -> None:
    daily = _daily(QUIET_SINCE, [100] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, 7)
    usual = dict.fromkeys(_realised(daily, period), 699)

    def level(steps: int, volume: int) -> float:
        return forecast(daily, {**usual, period.back(steps).as_of: volume}, period).level

    weights = DECAY ** np.arange(PERIODS_LOOKED_BACK)
    for steps in (1, 2, PERIODS_LOOKED_BACK):
        # A tenth more in one period is that part of a tenth; logarithms are of pairs + 1.
        share = weights[steps - 1] / weights.sum()
        assert level(steps, 769) == pytest.approx(700 * 1.1**share - 1)
        assert level(steps, 70_000) == pytest.approx(700 * np.exp(0.2 * share) - 1)
        assert level(steps, 0) == pytest.approx(700 * np.exp(-0.2 * share) - 1)
    assert level(PERIODS_LOOKED_BACK + 1, 70_000) == pytest.approx(699)


def _sells_less_at_rest(day: date) -> float:
    """A hundred pairs a day, ten on a day of rest."""
    return 10.0 if is_rest(day) else 100.0


def test_the_effect_of_days_of_rest_is_found() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, _sells_less_at_rest)
    effects = calendar_effects(daily)
    # 24 days of evidence against three days' worth of what is believed before, .3.
    assert np.exp(effects[0]) == pytest.approx(0.1, abs=0.05)
    # The days around a rest were as any.
    assert np.exp(effects[2:]) == pytest.approx(np.ones(5), abs=0.03)


def test_the_effect_of_a_part_of_the_month_is_found() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, lambda day: 130.0 if 15 <= day.day <= 21 else 100.0)
    first, second, third, fourth = np.exp(calendar_effects(daily)[3:])
    for other in (first, second, fourth):
        assert third / other == pytest.approx(1.3, rel=0.1)


def test_growth_is_no_effect_of_the_calendar() -> None:
    first = date(2022, 1, 3)
    daily = _by_day(first, 3 * 365, lambda day: 100 * 1.02 ** ((day - first).days / 7))
    # A window that looks back alone would see every day some 6 % above what is usual.
    assert calendar_effects(daily)[3:] == pytest.approx(np.zeros(4), abs=0.01)


def test_a_period_with_a_day_of_rest_is_forecast_with_what_such_days_sold() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, _sells_less_at_rest)
    # Wednesday 25 December 2024.
    christmas, after = Period(date(2024, 12, 23), 7), Period(date(2024, 12, 30), 7)
    at_rest = forecast(daily, _realised(daily, christmas), christmas)
    assert at_rest.level == pytest.approx(700, rel=0.02)
    # The eve has sold as any day, of which there are six as evidence beside the three of the belief.
    assert at_rest.expected_pairs == pytest.approx(610, rel=0.04)
    # The week after, which has the new year, starts from the level and not from the dip.
    next_week = forecast(daily, _realised(daily, after), after)
    assert next_week.level == pytest.approx(700, rel=0.02)


def test_without_a_day_of_rest_in_the_past_it_is_what_is_believed() -> None:
    daily = _daily(QUIET_SINCE, [100] * 200)
    believed = np.log([0.3, 0.6]).tolist()
    assert calendar_effects(daily) == pytest.approx([*believed, 0.1, 0, 0, 0, 0])


@pytest.mark.parametrize("n_days", [7, 8, 13, 14, 15, 20, 21])
def test_a_few_days_of_history_are_enough(n_days: int) -> None:
    daily = _daily(AS_OF - timedelta(days=n_days), [50] * n_days)
    period = Period(AS_OF, 7)
    found = forecast(daily, _realised(daily, period), period)
    assert found.expected_pairs == pytest.approx(350)


def test_a_history_of_one_short_period_is_enough() -> None:
    # Five days of sale, and none of the week days after them was ever seen.
    period = Period(AS_OF, 5)
    daily = _daily(AS_OF - timedelta(days=7), [50, 50, 50, 50, 50, 0, 0])
    assert forecast(daily, {period.back(1).as_of: 250}, period).expected_pairs == pytest.approx(250)


def test_a_period_that_is_not_known_is_passed_over() -> None:
    daily = _daily(QUIET_SINCE, [100] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, 7)
    realised = {period.back(2).as_of: 700, period.back(4).as_of: 700}
    assert forecast(daily, realised, period).expected_pairs == pytest.approx(700)


later_volumes = st.lists(st.integers(0, 10**6), min_size=30, max_size=30)
first_days = st.sampled_from([AS_OF - timedelta(days=age) for age in range(0, 80, 9)])


@settings(max_examples=40)
@given(later_volumes, first_days, st.sampled_from([5, 7, 10]))
def test_days_on_or_after_the_first_day_change_no_forecast(
    volumes: list[int], first_day: date, horizon_days: int
) -> None:
    n_known = (first_day - QUIET_SINCE).days
    known = np.random.default_rng(0).integers(50, 150, n_known)
    period = Period(first_day, horizon_days)
    seen, more = _daily(QUIET_SINCE, known), _daily(QUIET_SINCE, [*known, *volumes])
    realised = _realised(seen, period)
    # What the period and those after it came to is known to who forecasts a closed one.
    later = {first_day + timedelta(days=7 * number): volumes[number] for number in range(4)}
    with_later = forecast(more, {**realised, **later}, period)
    without = forecast(seen, realised, period)
    assert (with_later.level, with_later.calendar) == (without.level, without.calendar)
    assert with_later.realised_pairs == volumes[0]


def _tables(first: date, volumes: Mapping[date, int], period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """by_day and by_steps as the stage reads them: days and periods without purchases are left out."""
    daily = pd.Series(volumes)
    sold = daily[daily > 0]
    ages = [(period.as_of - day).days for day in sold.index]
    by_day = pd.DataFrame({"age_days": ages, "n_pairs": sold.to_numpy()})
    realised = _realised(daily, period)
    steps = {(period.as_of - each).days // period.step_days: total for each, total in realised.items()}
    by_steps = pd.DataFrame(
        [(number, total) for number, total in steps.items() if total], columns=["steps", "n_pairs"]
    )
    assert min(sold.index) == first
    return by_day, by_steps


def test_the_forecast_of_a_closed_period_is_the_one_of_its_first_day() -> None:
    first = date(2024, 6, 3)
    n_days = (AS_OF - first).days
    scattered = np.random.default_rng(1).integers(0, 90, n_days)
    volumes = {first + timedelta(days=number): int(volume) for number, volume in enumerate(scattered)}
    # Two weeks without a sale are known to have sold nothing.
    volumes |= {first + timedelta(days=number): 0 for number in range(35, 49)}
    coming = Period(AS_OF, 7)
    closed = [coming.back(steps) for steps in (1, 2, 5)]

    found = forecasts_of(*_tables(first, volumes, coming), coming, closed)

    assert [each.period for each in found] == [coming, *closed]
    assert found[0].realised_pairs is None
    for each in found[1:]:
        known = {day: volume for day, volume in volumes.items() if day < each.period.as_of}
        (then,) = forecasts_of(*_tables(first, known, each.period), each.period, [])
        assert (then.level, then.calendar) == (each.level, each.calendar)
        assert each.realised_pairs == sum(
            volume for day, volume in volumes.items() if each.period.as_of <= day < each.period.end
        )


def test_a_week_without_sales_is_known_as_a_week_of_none() -> None:
    coming = Period(AS_OF, 7)
    volumes = {AS_OF - timedelta(days=age): 0 if age <= 7 else 10 for age in range(21, 0, -1)}
    by_day, by_steps = _tables(AS_OF - timedelta(days=21), volumes, coming)
    assert list(by_steps["steps"]) == [2, 3]
    _, newest = forecasts_of(by_day, by_steps, coming, [coming.back(1)])
    assert newest.realised_pairs == 0


@pytest.mark.parametrize(
    "strays",
    [
        pytest.param({AS_OF - timedelta(days=400): 3}, id="a few a year before"),
        pytest.param({date(2005, 3, 7) + timedelta(days=day): 20 for day in range(7)}, id="a week of 2005"),
    ],
)
def test_old_days_of_mistyped_dates_change_no_forecast(strays: dict[date, int]) -> None:
    first, coming = date(2024, 6, 3), Period(AS_OF, 7)
    usual = {first + timedelta(days=day): 20 + day % 7 for day in range((AS_OF - first).days)}
    closed = [coming.back(1)]
    by_day, by_steps = _tables(first, usual, coming)
    with_strays, more_steps = _tables(min(strays), {**strays, **usual}, coming)

    pd.testing.assert_frame_equal(drop_old_stray_days(by_day, coming), by_day)
    kept = drop_old_stray_days(with_strays, coming)
    assert list(kept["age_days"]) == list(by_day["age_days"])
    assert forecasts_of(kept, more_steps, coming, closed) == forecasts_of(by_day, by_steps, coming, closed)


def test_without_a_day_none_is_a_stray() -> None:
    none = pd.DataFrame({"age_days": [], "n_pairs": []})
    assert drop_old_stray_days(none, Period(AS_OF, 7)).empty


def test_the_table_has_a_row_a_cutoff_the_oldest_first() -> None:
    coming, closed = Period(AS_OF, 5), Period(AS_OF, 5).back(1)
    made = forecast_table([Forecast(coming, 100.0, 0.8), Forecast(closed, 50.0, 1.5, 72)])
    assert made.schema.equals(FORECASTS.contract.schema)
    of_closed = {"level": 50, "calendar": 1.5, "expected_pairs": 75, "realised_pairs": 72}
    of_coming = {"level": 100, "calendar": 0.8, "expected_pairs": 80, "realised_pairs": None}
    assert made.to_pylist() == [
        {"cutoff": closed.as_of, "horizon_days": 5, **of_closed},
        {"cutoff": AS_OF, "horizon_days": 5, **of_coming},
    ]
