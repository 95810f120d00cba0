"""Time features: what the calendar and the market as a whole say about the period."""

from datetime import date, timedelta

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History
from sodai.periods import Period

# Public holidays of Chile by law, month and day; those that move with Easter are computed.
FIXED_HOLIDAYS = (
    (1, 1), (5, 1), (5, 21), (6, 20), (6, 29), (7, 16), (8, 15), (9, 18), (9, 19), (10, 12), (10, 31),
    (11, 1), (12, 8), (12, 25),
)  # fmt: skip


def market_features(history: History, period: Period) -> Table:
    """The time features: one row.

    Args:
        history: purchases before the period.
        period: the period to predict.
    """
    totals = history.weeks.filter(_.week < 8).agg(
        market_pairs_1w=_.count(where=_.week < 1), weekly_mean=_.count() / 8
    )
    return totals.select(
        "market_pairs_1w",
        market_trend_8w=_.market_pairs_1w / _.weekly_mean.nullif(0),
        period_holidays=ibis.literal(n_holidays(period)),
    )


def n_holidays(period: Period) -> int:
    """Public holidays of Chile from the first day of the period to its last."""
    days = [period.as_of + timedelta(days=number) for number in range(period.horizon_days)]
    return sum(
        (day.month, day.day) in FIXED_HOLIDAYS or easter(day.year) - day in _BEFORE_EASTER for day in days
    )


_BEFORE_EASTER = (timedelta(days=1), timedelta(days=2))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (anonymous algorithm, Nature 13, 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1)
