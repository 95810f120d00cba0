"""Time features: what the calendar and the market as a whole say about the period."""

from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History


def market_features(history: History, moment: Table) -> Table:
    """The time features: one row.

    Args:
        history: purchases before the period.
        moment: one row: calendar, what the days of the period are worth.
    """
    totals = history.weeks.filter(_.week < 8).agg(
        market_pairs_1w=_.count(where=_.week < 1), weekly_mean=_.count() / 8
    )
    totals = totals.cross_join(moment.select(period_calendar=_.calendar))
    return totals.select(
        "market_pairs_1w",
        "period_calendar",
        market_trend_8w=_.market_pairs_1w / _.weekly_mean.nullif(0),
    )
