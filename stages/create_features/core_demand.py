"""The expected demand of a period, in distinct pairs, from the calendar and the demand of past periods."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from ibis import _
from ibis.expr.types import Table

from create_features.core_calendar import AFTER_REST, EVE, N_TRAITS, REST, day_traits, is_ordinary
from create_features.core_history import History, is_first_in_step
from sodai.data.catalog import FORECASTS
from sodai.data.date_outliers import plausible_weeks
from sodai.data.periods import DAYS_PER_WEEK, Period, week_of

# All chosen on SodAI's weeks from 5 August to 9 December 2024, on a plateau: a decay of .5 to .7, a bound
# of .15 to .2 and a penalty of 10 to 30 change the mean error of 6.5 % by .5 points.
LOOKBACK_PERIODS = 8
DECAY = 0.6
# A period counts with at most this log-distance from the median: a surge is not the new level.
_BOUND = 0.2
# Log-ratios to an ordinary day that are assumed without data, and the days of evidence that they equal.
_PRIOR = {REST: np.log(0.3), EVE: np.log(0.6), AFTER_REST: 0.1}
_PRIOR_DAYS = 3.0
_MONTH_PENALTY = 30.0
# The level of a day is the mean of the days of the same weekday around it, so many on each side.
_NEIGHBOURS = 3
_MIN_NEIGHBOURS = 3
# Part of a mean day added to every day, so that one without sales has a logarithm.
_FLOOR = 0.03


@dataclass(frozen=True)
class DemandForecast:
    """The expected demand of a period.

    Args:
        period: the period.
        level: pairs expected in an ordinary period of the same length and weekdays.
        calendar: factor for holidays and the time of the month.
        realised_pairs: pairs bought; None before the period is over.
    """

    period: Period
    level: float
    calendar: float
    realised_pairs: int | None = None

    @property
    def expected_pairs(self) -> float:
        """Return the distinct pairs expected in the period, candidates or not."""
        return self.level * self.calendar


def count_pairs_by_day(history: History) -> Table:
    """Count the distinct pairs bought on each day: age_days, n_pairs; days without any are left out."""
    return history.days.group_by("age_days").agg(n_pairs=_.count())


def drop_old_stray_days(by_day: pd.DataFrame, coming: Period) -> pd.DataFrame:
    """Drop the days before the start of the history, which have purchases because of mistyped dates.

    Args:
        by_day: the columns of `count_pairs_by_day`, counted back from `coming`.
        coming: the period to predict.
    """
    n_pairs: Counter[date] = Counter()
    for age_days, n in zip(by_day["age_days"], by_day["n_pairs"], strict=True):
        n_pairs[week_of(coming.as_of - timedelta(days=int(age_days)))] += int(n)
    weeks = plausible_weeks(sorted(n_pairs.items()))
    oldest = (coming.as_of - weeks[0][0]).days if weeks else 0
    return by_day[by_day["age_days"] <= oldest]


def count_pairs_by_period(history: History, period: Period) -> Table:
    """Count the distinct pairs bought in each earlier period of the same kind.

    Args:
        history: purchases before `period`.
        period: from which to count back.

    Returns:
        steps (1 = the newest closed period) and n_pairs; periods without purchases are left out.
    """
    days = history.days.mutate(steps=((_.age_days - 1) // period.step_days + 1).cast("int64"))
    # A step is whole weeks; days of it after the horizon belong to no period.
    inside = days.filter(_.steps * period.step_days - _.age_days < period.horizon_days)
    pairs = inside.filter(is_first_in_step(_.age_days, _.gap_days, period.step_days))
    return pairs.group_by("steps").agg(n_pairs=_.count())


def forecast_demand(daily: pd.Series, realised: Mapping[date, int], period: Period) -> DemandForecast:
    """Forecast the demand of a period from earlier days and periods alone.

    Args:
        daily: distinct pairs bought by day, every day from the first purchase on, indexed by date;
            days on or after the cutoff are ignored.
        realised: distinct pairs bought by first day of past periods of the same length; those one
            step, two steps, ... before `period` are used, and a missing one counts as unknown.
        period: to forecast.
    """
    seen = daily[daily.index < period.as_of]
    effects = fit_calendar_effects(seen)
    weekdays = _weekday_profile(seen)
    past = [period.back(step) for step in range(1, LOOKBACK_PERIODS + 1)]
    past = [each for each in past if each.as_of in realised]
    levels = np.array(
        [
            np.log(realised[each.as_of] + 1) - np.log(_calendar_factor(each, weekdays, effects))
            for each in past
        ]
    )
    weights = DECAY ** np.arange(len(levels))
    middle = float(np.median(levels))
    departure = np.clip(levels - middle, -_BOUND, _BOUND)
    level = np.exp(middle + float(weights @ departure / weights.sum())) - 1
    calendar = _calendar_factor(period, weekdays, effects)
    return DemandForecast(period, max(float(level), 0.0), calendar, realised.get(period.as_of))


def fit_calendar_effects(daily: pd.Series) -> npt.NDArray[np.float64]:
    """Return the effect of each trait of a day on the logarithm of its demand: (7,), see `day_traits`.

    A ridge regression of each day on its traits, relative to the ordinary days of the same weekday
    around it, and drawn towards assumed effects of days of rest, because a year has few of them.

    Args:
        daily: distinct pairs bought by day, every day, indexed by date.
    """
    floor = _FLOOR * max(float(daily.mean()), 1.0)
    log_demand = pd.Series(np.log(daily.to_numpy(float) + floor), daily.index)
    ordinary = np.array([is_ordinary(day) for day in daily.index], dtype=bool)
    weekday = np.array([day.weekday() for day in daily.index])
    around = (
        log_demand.where(ordinary)
        .groupby(weekday)
        .transform(
            lambda days: days.rolling(2 * _NEIGHBOURS + 1, center=True, min_periods=_MIN_NEIGHBOURS).mean()
        )
    )
    departure = (log_demand - around).to_numpy()
    known = ~np.isnan(departure)
    prior, penalty = np.zeros(N_TRAITS), np.full(N_TRAITS, _MONTH_PENALTY)
    for trait, effect in _PRIOR.items():
        prior[trait], penalty[trait] = effect, _PRIOR_DAYS
    X, y = day_traits(list(daily.index))[known], departure[known]
    return np.asarray(prior + np.linalg.solve(X.T @ X + np.diag(penalty), X.T @ (y - X @ prior)))


def _weekday_profile(daily: pd.Series) -> npt.NDArray[np.float64]:
    """Return the median demand of each weekday in the last eight weeks, always more than zero: (7,)."""
    newest = daily.iloc[-LOOKBACK_PERIODS * DAYS_PER_WEEK :]
    medians = newest.groupby([day.weekday() for day in newest.index]).median()
    profile = medians.reindex(range(DAYS_PER_WEEK), fill_value=0.0).to_numpy(float)
    return profile + max(_FLOOR * profile.mean(), 1e-6)


def _calendar_factor(
    period: Period, weekdays: npt.NDArray[np.float64], effects: npt.NDArray[np.float64]
) -> float:
    """Return the demand of the days of a period over that of ordinary days of the same weekdays."""
    days: Sequence[date] = [period.as_of + timedelta(days=number) for number in range(period.horizon_days)]
    usual = weekdays[[day.weekday() for day in days]]
    return float((usual * np.exp(day_traits(days) @ effects)).sum() / usual.sum())


def forecast_periods(
    by_day: pd.DataFrame, by_steps: pd.DataFrame, coming: Period, closed: Sequence[Period]
) -> list[DemandForecast]:
    """Forecast a period and closed ones before it, each as on its own first day.

    Args:
        by_day: the columns of `count_pairs_by_day`, counted back from `coming`; the oldest day is the first
            of the history.
        by_steps: the columns of `count_pairs_by_period`, counted back from `coming`.
        coming: the period to predict.
        closed: of the same kind, each a whole number of steps before it.

    Returns:
        one for `coming`, then one for each of `closed`, with `realised_pairs`.
    """
    n_days = int(by_day["age_days"].max())
    ages = range(n_days, 0, -1)
    daily = by_day.set_index("age_days")["n_pairs"].reindex(ages, fill_value=0)
    daily.index = pd.Index([coming.as_of - timedelta(days=age) for age in ages])
    n_pairs = by_steps.set_index("steps")["n_pairs"]
    realised = {
        coming.back(steps).as_of: int(n_pairs.get(steps, 0))
        for steps in range(1, n_days // coming.step_days + 1)
    }
    return [forecast_demand(daily, realised, period) for period in (coming, *closed)]


def forecast_table(forecasts: Sequence[DemandForecast]) -> pa.Table:
    """Return the columns of FORECASTS, oldest period first."""
    rows = [
        {
            "cutoff": each.period.as_of,
            "horizon_days": each.period.horizon_days,
            "level": each.level,
            "calendar": each.calendar,
            "expected_pairs": each.expected_pairs,
            "realised_pairs": each.realised_pairs,
        }
        for each in sorted(forecasts, key=lambda each: each.period.as_of)
    ]
    return pa.Table.from_pylist(rows, FORECASTS.contract.schema)
