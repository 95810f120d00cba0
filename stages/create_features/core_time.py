"""Time features: what the calendar and the market as a whole say about the period."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import History
from create_features.core_volume import Forecast


def market_features(history: History, forecast: Forecast) -> Table:
    """The time features: one row.

    Args:
        history: purchases before the period.
        forecast: of the period to predict.
    """
    totals = history.weeks.filter(_.week < 8).agg(
        market_pairs_1w=_.count(where=_.week < 1), weekly_mean=_.count() / 8
    )
    return totals.select(
        "market_pairs_1w",
        market_trend_8w=_.market_pairs_1w / _.weekly_mean.nullif(0),
        period_calendar=ibis.literal(forecast.calendar),
    )
