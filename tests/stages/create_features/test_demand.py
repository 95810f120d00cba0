"""The demand forecast of a period: counts of pairs, effects of holidays, and nothing from the future."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from create_features.core_calendar import is_rest
from create_features.core_demand import (
    DECAY,
    LOOKBACK_PERIODS,
    DemandForecast,
    count_pairs_by_day,
    count_pairs_by_period,
    drop_old_stray_days,
    fit_calendar_effects,
    forecast_demand,
    forecast_periods,
    forecast_table,
)
from create_features.core_history import History, build_history
from sodai.data.catalog import FORECASTS
from sodai.data.periods import Period
from sodai.evaluation.realised_demand import realised_demand
from stages.create_features.conftest import MakeTable

AS_OF = date(2024, 9, 16)
# Half a year without a day of rest, so that the calendar factor is 1.
QUIET_SINCE = date(2024, 5, 6)
COLUMNS = ["purchase_date", "customer_id", "product_id"]


def _daily(first: date, demands: list[float] | np.ndarray) -> pd.Series:
    return pd.Series(list(demands), [first + timedelta(days=number) for number in range(len(demands))])


def _by_day(first: date, n_days: int, demand: Callable[[date], float]) -> pd.Series:
    days = [first + timedelta(days=number) for number in range(n_days)]
    return pd.Series([demand(day) for day in days], days)


def _realised(daily: pd.Series, period: Period) -> dict[date, int]:
    """Return the sums of the days of earlier complete periods."""
    past = [period.back(steps) for steps in range(1, 60)]
    return {
        each.as_of: int(daily[(daily.index >= each.as_of) & (daily.index < each.end)].sum())
        for each in past
        if each.as_of >= daily.index[0]
    }


def _history(table: MakeTable, lines: Sequence[tuple[date, int, int]]) -> History:
    """Return the history before AS_OF."""
    return build_history(table([*COLUMNS, "n_units"], [(*line, 1.0) for line in lines]), AS_OF)


def test_a_pair_counts_once_a_day(table: MakeTable) -> None:
    lines = _aged((2, 1, 5), (2, 1, 5), (2, 1, 6), (2, 2, 5), (1, 1, 5))
    counts = count_pairs_by_day(_history(table, lines)).to_pyarrow().to_pylist()
    assert {row["age_days"]: row["n_pairs"] for row in counts} == {2: 3, 1: 1}


def _aged(*lines: tuple[int, int, int]) -> list[tuple[date, int, int]]:
    return [(AS_OF - timedelta(days=age), customer, product) for age, customer, product in lines]


def _by_steps(counts: pd.DataFrame) -> dict[int, int]:
    return dict(zip(counts["steps"], counts["n_pairs"], strict=True))


# Ages in days: 1 to 7 are the newest week; nothing was bought in the third week.
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
        # The five days from the same weekday: ages 3 to 7, 10 to 14, 24 to 28.
        (5, {1: 3, 2: 2, 4: 1}),
        # Ten days of every two weeks: ages 5 to 14, 19 to 28; pair 1, 5 counts once in each.
        (10, {1: 4, 2: 2}),
        (28, {1: 7}),
    ],
)
def test_a_pair_counts_once_a_period_of_the_same_kind(
    table: MakeTable, horizon_days: int, expected: dict[int, int]
) -> None:
    counts = count_pairs_by_period(_history(table, AGED), Period(AS_OF, horizon_days)).to_pandas()
    assert _by_steps(counts) == expected
    # Other stages count the same demand from the purchases themselves.
    purchases = pd.DataFrame(AGED, columns=["purchase_date", "customer_id", "product_id"])
    steps = {Period(AS_OF, horizon_days).back(step).as_of: step for step in range(1, 5)}
    demand = realised_demand(purchases, steps, horizon_days)
    assert demand == {cutoff: expected.get(step, 0) for cutoff, step in steps.items()}


def test_purchases_from_the_cutoff_on_are_in_no_period(table: MakeTable) -> None:
    period = Period(AS_OF, 7)
    known = [line for line in AGED if line[0] < AS_OF]
    assert len(known) == len(AGED) - 2
    counts, expected = (
        _by_steps(count_pairs_by_period(_history(table, lines), period).to_pandas())
        for lines in (AGED, known)
    )
    assert counts == expected


@pytest.mark.parametrize("horizon_days", [1, 5, 7, 10, 28])
@pytest.mark.parametrize("demand", [0, 1, 40, 9_000])
def test_constant_demand_continues(demand: int, horizon_days: int) -> None:
    daily = _daily(QUIET_SINCE, [demand] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, horizon_days)
    forecast = forecast_demand(daily, _realised(daily, period), period)
    assert forecast.calendar == pytest.approx(1)
    assert forecast.expected_pairs == pytest.approx(demand * horizon_days, abs=1e-6)
    assert forecast.realised_pairs is None


def test_a_weekly_rhythm_continues() -> None:
    of_weekday = [30, 50, 20, 80, 60, 10, 0]
    daily = _by_day(QUIET_SINCE, (AS_OF - QUIET_SINCE).days, lambda day: of_weekday[day.weekday()])
    five_days = Period(date(2024, 9, 11), 5)
    forecast = forecast_demand(daily, _realised(daily, five_days), five_days)
    assert forecast.expected_pairs == pytest.approx(20 + 80 + 60 + 10 + 0)


def test_newer_periods_count_more_and_a_surge_is_bounded() -> None:
    daily = _daily(QUIET_SINCE, [100] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, 7)
    usual = dict.fromkeys(_realised(daily, period), 699)

    def level(steps: int, demand: int) -> float:
        return forecast_demand(daily, {**usual, period.back(steps).as_of: demand}, period).level

    weights = DECAY ** np.arange(LOOKBACK_PERIODS)
    for steps in (1, 2, LOOKBACK_PERIODS):
        # A tenth more in one period raises the level by its share of a tenth; logarithms are of pairs + 1.
        share = weights[steps - 1] / weights.sum()
        assert level(steps, 769) == pytest.approx(700 * 1.1**share - 1)
        assert level(steps, 70_000) == pytest.approx(700 * np.exp(0.2 * share) - 1)
        assert level(steps, 0) == pytest.approx(700 * np.exp(-0.2 * share) - 1)
    assert level(LOOKBACK_PERIODS + 1, 70_000) == pytest.approx(699)


def _sells_less_at_rest(day: date) -> float:
    """Return a hundred pairs a day, ten on a day of rest."""
    return 10.0 if is_rest(day) else 100.0


def test_the_effect_of_days_of_rest_is_estimated() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, _sells_less_at_rest)
    effects = fit_calendar_effects(daily)
    # 24 days of evidence, and three days' worth of the assumed .3.
    assert np.exp(effects[0]) == pytest.approx(0.1, abs=0.05)
    # The days around a day of rest were ordinary.
    assert np.exp(effects[2:]) == pytest.approx(np.ones(5), abs=0.03)


def test_the_effect_of_a_part_of_the_month_is_estimated() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, lambda day: 130.0 if 15 <= day.day <= 21 else 100.0)
    first, second, third, fourth = np.exp(fit_calendar_effects(daily)[3:])
    for other in (first, second, fourth):
        assert third / other == pytest.approx(1.3, rel=0.1)


def test_growth_is_not_a_calendar_effect() -> None:
    first = date(2022, 1, 3)
    daily = _by_day(first, 3 * 365, lambda day: 100 * 1.02 ** ((day - first).days / 7))
    # A window of earlier days alone would put every day some 6 % above its level.
    assert fit_calendar_effects(daily)[3:] == pytest.approx(np.zeros(4), abs=0.01)


def test_a_period_with_a_day_of_rest_is_forecast_from_earlier_days_of_rest() -> None:
    daily = _by_day(date(2019, 1, 1), 6 * 365, _sells_less_at_rest)
    # Wednesday 25 December 2024.
    christmas, after = Period(date(2024, 12, 23), 7), Period(date(2024, 12, 30), 7)
    at_rest = forecast_demand(daily, _realised(daily, christmas), christmas)
    assert at_rest.level == pytest.approx(700, rel=0.02)
    # Eves sold like any day: six days of evidence and three of the assumed effect.
    assert at_rest.expected_pairs == pytest.approx(610, rel=0.04)
    # The week after, with the new year, starts from the level and not from the dip.
    next_week = forecast_demand(daily, _realised(daily, after), after)
    assert next_week.level == pytest.approx(700, rel=0.02)


def test_without_a_day_of_rest_in_the_past_the_effects_are_the_assumed_ones() -> None:
    daily = _daily(QUIET_SINCE, [100] * 200)
    assumed = np.log([0.3, 0.6]).tolist()
    assert fit_calendar_effects(daily) == pytest.approx([*assumed, 0.1, 0, 0, 0, 0])


@pytest.mark.parametrize("n_days", [7, 8, 13, 14, 15, 20, 21])
def test_a_few_days_of_history_are_enough(n_days: int) -> None:
    daily = _daily(AS_OF - timedelta(days=n_days), [50] * n_days)
    period = Period(AS_OF, 7)
    forecast = forecast_demand(daily, _realised(daily, period), period)
    assert forecast.expected_pairs == pytest.approx(350)


def test_a_history_of_one_short_period_is_enough() -> None:
    # Five days of sales; the two weekdays after them never had any.
    period = Period(AS_OF, 5)
    daily = _daily(AS_OF - timedelta(days=7), [50, 50, 50, 50, 50, 0, 0])
    assert forecast_demand(daily, {period.back(1).as_of: 250}, period).expected_pairs == pytest.approx(250)


def test_an_unknown_period_is_skipped() -> None:
    daily = _daily(QUIET_SINCE, [100] * (AS_OF - QUIET_SINCE).days)
    period = Period(AS_OF, 7)
    realised = {period.back(2).as_of: 700, period.back(4).as_of: 700}
    assert forecast_demand(daily, realised, period).expected_pairs == pytest.approx(700)


later_demands = st.lists(st.integers(0, 10**6), min_size=30, max_size=30)
first_days = st.sampled_from([AS_OF - timedelta(days=age) for age in range(0, 80, 9)])


@settings(max_examples=40)
@given(later_demands, first_days, st.sampled_from([5, 7, 10]))
def test_days_on_or_after_the_first_day_change_no_forecast(
    demands: list[int], first_day: date, horizon_days: int
) -> None:
    n_known = (first_day - QUIET_SINCE).days
    known = np.random.default_rng(0).integers(50, 150, n_known)
    period = Period(first_day, horizon_days)
    seen, more = _daily(QUIET_SINCE, known), _daily(QUIET_SINCE, [*known, *demands])
    realised = _realised(seen, period)
    # A closed period is forecast when its own demand and that of later periods are known.
    later = {first_day + timedelta(days=7 * number): demands[number] for number in range(4)}
    with_later = forecast_demand(more, {**realised, **later}, period)
    without = forecast_demand(seen, realised, period)
    assert (with_later.level, with_later.calendar) == (without.level, without.calendar)
    assert with_later.realised_pairs == demands[0]


def _tables(first: date, demands: Mapping[date, int], period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return by_day and by_steps as the stage reads them, without days and periods of no purchases."""
    daily = pd.Series(demands)
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


def test_the_forecast_of_a_closed_period_is_that_of_its_first_day() -> None:
    first = date(2024, 6, 3)
    n_days = (AS_OF - first).days
    scattered = np.random.default_rng(1).integers(0, 90, n_days)
    demands = {first + timedelta(days=number): int(demand) for number, demand in enumerate(scattered)}
    # Two weeks without a sale count as weeks of no demand.
    demands |= {first + timedelta(days=number): 0 for number in range(35, 49)}
    coming = Period(AS_OF, 7)
    closed = [coming.back(steps) for steps in (1, 2, 5)]

    forecasts = forecast_periods(*_tables(first, demands, coming), coming, closed)

    assert [each.period for each in forecasts] == [coming, *closed]
    assert forecasts[0].realised_pairs is None
    for each in forecasts[1:]:
        known = {day: demand for day, demand in demands.items() if day < each.period.as_of}
        (then,) = forecast_periods(*_tables(first, known, each.period), each.period, [])
        assert (then.level, then.calendar) == (each.level, each.calendar)
        assert each.realised_pairs == sum(
            demand for day, demand in demands.items() if each.period.as_of <= day < each.period.end
        )


def test_a_week_without_sales_has_demand_0() -> None:
    coming = Period(AS_OF, 7)
    demands = {AS_OF - timedelta(days=age): 0 if age <= 7 else 10 for age in range(21, 0, -1)}
    by_day, by_steps = _tables(AS_OF - timedelta(days=21), demands, coming)
    assert list(by_steps["steps"]) == [2, 3]
    _, newest = forecast_periods(by_day, by_steps, coming, [coming.back(1)])
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
    assert forecast_periods(kept, more_steps, coming, closed) == forecast_periods(
        by_day, by_steps, coming, closed
    )


def test_without_any_day_there_is_no_stray() -> None:
    none = pd.DataFrame({"age_days": [], "n_pairs": []})
    assert drop_old_stray_days(none, Period(AS_OF, 7)).empty


def test_the_table_has_one_row_for_each_cutoff_the_oldest_first() -> None:
    coming, closed = Period(AS_OF, 5), Period(AS_OF, 5).back(1)
    forecasts = forecast_table([DemandForecast(coming, 100.0, 0.8), DemandForecast(closed, 50.0, 1.5, 72)])
    assert forecasts.schema.equals(FORECASTS.contract.schema)
    of_closed = {"level": 50, "calendar": 1.5, "expected_pairs": 75, "realised_pairs": 72}
    of_coming = {"level": 100, "calendar": 0.8, "expected_pairs": 80, "realised_pairs": None}
    assert forecasts.to_pylist() == [
        {"cutoff": closed.as_of, "horizon_days": 5, **of_closed},
        {"cutoff": AS_OF, "horizon_days": 5, **of_coming},
    ]
