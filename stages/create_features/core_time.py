"""Time features: what the calendar and the market as a whole say about the period."""

from ibis import _
from ibis.expr.types import Table


def market_features(sales: Table, moment: Table) -> Table:
    """The time features: one row.

    Args:
        sales: the columns of `weekly_sales`, from the cutoff of the period.
        moment: one row: calendar, what the days of the period are worth.
    """
    totals = sales.filter(_.week < 8).agg(
        market_pairs_1w=_.n_buyers.sum(where=_.week < 1).coalesce(0),
        weekly_mean=_.n_buyers.sum().coalesce(0) / 8,
    )
    totals = totals.cross_join(moment.select(period_calendar=_.calendar))
    return totals.select(
        "market_pairs_1w",
        "period_calendar",
        market_trend_8w=_.market_pairs_1w / _.weekly_mean.nullif(0),
    )
