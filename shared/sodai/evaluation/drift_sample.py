"""The sample that drift is tested on: one row per customer and one row per product.

A customer's features repeat on all its rows of a pair table: a test on those rows would take a few hundred
customers for tens of thousands of independent observations.
"""

import numpy as np
import pandas as pd

from sodai.data.catalog import PAIR

CUSTOMER, PRODUCT = "customer", "product"
# Column with the champion's log-odds, which is tested like a feature.
PREDICTION = "prediction"


def sample_one_per_entity(candidates: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a random candidate of every customer and a random candidate of every product.

    Args:
        candidates: customer_id, product_id and any other columns, one row per pair, in any order.
        seed: seed of the draw; the same candidates give the same rows.

    Returns:
        the columns of `candidates` and `grain` (CUSTOMER or PRODUCT), customers first, each in key order.
    """
    drawn = draw_entities(candidates[PAIR].sort_values(PAIR), seed)
    return candidates.loc[drawn["row"]].reset_index(drop=True).assign(grain=drawn["grain"])


def draw_entities(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw the candidates of the sample without their features, for tables that are larger than memory.

    Args:
        pairs: customer_id, product_id of every candidate, in key order, with a unique index.
        seed: seed of the draw.

    Returns:
        row (index of the candidate) and grain, in the order of `sample_one_per_entity`.
    """
    order = np.random.default_rng(seed).permutation(len(pairs))
    drawn = []
    for grain in (CUSTOMER, PRODUCT):
        ids = pairs[f"{grain}_id"].to_numpy()[order]
        _, first = np.unique(ids, return_index=True)
        drawn.append(pd.DataFrame({"row": pairs.index[order[first]], "grain": grain}))
    return pd.concat(drawn, ignore_index=True)
