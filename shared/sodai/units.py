"""One row a customer and one row a product: the grain on which drift is tested.

The features of one customer stand on many rows of a pair table; testing them there takes a few
hundred customers for tens of thousands of independent observations.
"""

import numpy as np
import pandas as pd

CUSTOMER, PRODUCT = "customer", "product"
# What the champion says of a row, in log-odds: tested beside the features.
PREDICTION = "prediction"


def one_row_a_unit(candidates: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A random candidate of every customer, and a random candidate of every product.

    Args:
        candidates: customer_id, product_id and whatever else, one row a pair, any order.
        seed: of the draw; the same candidates give the same rows.

    Returns:
        the columns of `candidates` and `unit`, customers before products, each in key order.
    """
    ordered = candidates.sort_values(["customer_id", "product_id"], ignore_index=True)
    shuffled = ordered.iloc[np.random.default_rng(seed).permutation(len(ordered))]
    parts = [
        shuffled.drop_duplicates(f"{unit}_id").sort_values(f"{unit}_id").assign(unit=unit)
        for unit in (CUSTOMER, PRODUCT)
    ]
    return pd.concat(parts, ignore_index=True)
