"""The purchases of a closed period, as every stage that compares predictions with them reads them."""

from dataclasses import dataclass
from datetime import date
from typing import Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sodai.data.catalog import PAIR
from sodai.data.periods import Period
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume


@dataclass(frozen=True)
class ClosedPeriod:
    """A period whose purchases are known.

    Attributes:
        period: first day and length.
        truth: customer_id, product_id: the distinct pairs bought in the period.
        purchases_before: customer_id, product_id, purchase_date: purchases before its first day.
    """

    period: Period
    truth: pd.DataFrame
    purchases_before: pd.DataFrame

    @classmethod
    def read(
        cls, volume: Volume, period: Period, customers: pa.Array | None = None, since: date | None = None
    ) -> Self:
        """Read what was bought in a period and before it.

        Args:
            volume: with a warehouse.
            period: no purchase on or after its end is read.
            customers: customer_id whose purchases are read; all if None.
            since: first day of `purchases_before` (inclusive); none are read if None.

        Raises:
            VolumeError: the warehouse cannot be read, or has no purchase before the end of the period.
        """
        table = read_transactions(
            volume, period.end, since or period.as_of, customers, columns=[*PAIR, "purchase_date"]
        )
        inside = pc.field("purchase_date") >= pa.scalar(period.as_of)
        # Arrow's own grouping returns pairs in an arbitrary order, pandas in the order of the warehouse.
        truth = table.filter(inside).select(PAIR).to_pandas().drop_duplicates(ignore_index=True)
        return cls(period, truth, table.filter(~inside).to_pandas(date_as_object=False))
