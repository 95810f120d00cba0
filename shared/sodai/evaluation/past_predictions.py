"""Past predictions: those of an earlier period, to be compared with its purchases."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sodai.data.catalog import LIST_LENGTH, PAIR, PREDICTIONS
from sodai.volume.volume import Volume


def read_past_predictions(volume: Volume, as_of: date, customers: pa.Array | None = None) -> pd.DataFrame:
    """Read the published pairs that are in the purchase set or on a list of `LIST_LENGTH` products.

    Args:
        volume: with PREDICTIONS of the period.
        as_of: first day of the period.
        customers: customer_id whose pairs are read; all if None.

    Returns:
        customer_id, product_id, rank, selected.

    Raises:
        VolumeError: the predictions cannot be read.
        ContractError: they break their contract.
    """
    is_published = (pc.field("rank") <= LIST_LENGTH) | pc.field("selected")
    if customers is not None:
        is_published &= pc.field("customer_id").isin(customers)
    return volume.read(
        PREDICTIONS, as_of, columns=[*PAIR, "rank", "selected"], where=is_published
    ).to_pandas()
