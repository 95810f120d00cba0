"""One row a customer and one row a product: the grain on which drift is tested.

The features of one customer stand on many rows of a pair table; testing them there takes a few
hundred customers for tens of thousands of independent observations.
"""

import numpy as np
import pandas as pd

from sodai.data.catalog import PAIR

CUSTOMER, PRODUCT = "customer", "product"
# What the champion says of a row, in log-odds: tested beside the features.
PREDICTION = "prediction"


def sample_one_per_entity(candidates: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A random candidate of every customer, and a random candidate of every product.

    Args:
        candidates: customer_id, product_id and whatever else, one row a pair, any order.
        seed: of the draw; the same candidates give the same rows.

    Returns:
        the columns of `candidates` and `grain`, customers before products, each in key order.
    """
    drawn = draw_entities(candidates[PAIR].sort_values(PAIR), seed)
    return candidates.loc[drawn["row"]].reset_index(drop=True).assign(grain=drawn["grain"])


def draw_entities(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Which candidates are drawn, for tables that are larger than memory.

    Args:
        pairs: customer_id, product_id of every candidate, in key order, under a unique index.
        seed: of the draw.

    Returns:
        row (index of the candidate) and grain, in the order of `sample_one_per_entity`.
    """
    order = np.random.default_rng(seed).permutation(len(pairs))
    parts = []
    for grain in (CUSTOMER, PRODUCT):
        ids = pairs[f"{grain}_id"].to_numpy()[order]
        _, first = np.unique(ids, return_index=True)
        parts.append(pd.DataFrame({"row": pairs.index[order[first]], "grain": grain}))
    return pd.concat(parts, ignore_index=True)
