"""Time features: the calendar of the period and the market as a whole."""

from ibis import _
from ibis.expr.types import Table


def compute_market_features(sales: Table, cutoff_row: Table) -> Table:
    """Return the time features: one row.

    Args:
        sales: the columns of `count_weekly_sales`, from the cutoff of the period.
        cutoff_row: one row: calendar, see `DemandForecast`.
    """
    totals = sales.filter(_.week < 8).agg(
        market_pairs_1w=_.n_buyers.sum(where=_.week < 1).coalesce(0),
        weekly_mean=_.n_buyers.sum().coalesce(0) / 8,
    )
    totals = totals.cross_join(cutoff_row.select(period_calendar=_.calendar))
    return totals.select(
        "market_pairs_1w",
        "period_calendar",
        market_trend_8w=_.market_pairs_1w / _.weekly_mean.nullif(0),
    )
