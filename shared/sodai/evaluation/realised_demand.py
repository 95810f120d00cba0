"""The realised demand of past periods: the distinct customer-product pairs bought in each."""

from collections.abc import Iterable
from datetime import date

import pandas as pd

from sodai.data.catalog import PAIR


def realised_demand(purchases: pd.DataFrame, cutoffs: Iterable[date], horizon_days: int) -> dict[date, int]:
    """Return the number of distinct pairs bought in each period, by its first day.

    Args:
        purchases: customer_id, product_id, purchase_date.
        cutoffs: first days of the periods (inclusive).
        horizon_days: length of every period in days.
    """
    day = pd.to_datetime(purchases["purchase_date"])
    demand = {}
    for cutoff in cutoffs:
        start = pd.Timestamp(cutoff)
        inside = (day >= start) & (day < start + pd.Timedelta(days=horizon_days))
        demand[cutoff] = len(purchases.loc[inside, PAIR].drop_duplicates())
    return demand
