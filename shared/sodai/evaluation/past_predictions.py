"""What was published of an earlier period, as it is held against the purchases of that period."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sodai.data.catalog import LIST_LENGTH, PAIR, PREDICTIONS
from sodai.volume.volume import Volume


def read_past_predictions(volume: Volume, as_of: date, customers: pa.Array | None = None) -> pd.DataFrame:
    """The published pairs that are selected or on a list of `LIST_LENGTH`: the others are never looked at.

    Args:
        volume: with PREDICTIONS of the period.
        as_of: first day of the period.
        customers: customer_id of those whose pairs are wanted; all if None.

    Returns:
        customer_id, product_id, rank, selected.

    Raises:
        VolumeError: the predictions cannot be read.
        ContractError: they break their contract.
    """
    told = (pc.field("rank") <= LIST_LENGTH) | pc.field("selected")
    if customers is not None:
        told &= pc.field("customer_id").isin(customers)
    return volume.read(PREDICTIONS, as_of, columns=[*PAIR, "rank", "selected"], where=told).to_pandas()
