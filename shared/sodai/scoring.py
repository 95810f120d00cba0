"""Scores of a period's candidates: what explains a recommendation and what publishes it must agree."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from sodai.datasets import SCORING
from sodai.errors import InputError
from sodai.model import TrainedModel, features_frame
from sodai.selection import rank_within_customer
from sodai.volume import Volume

# About 100 MB of features: enough for LightGBM to be fast, little beside what a stage imports.
BATCH_ROWS = 200_000


def score_candidates(
    volume: Volume, as_of: date, model: TrainedModel, batch_rows: int = BATCH_ROWS
) -> pd.DataFrame:
    """Probability and rank of every candidate of SCORING, read and scored `batch_rows` at a time.

    Returns:
        customer_id, product_id, probability (of at least one purchase in the period), rank (1 = best
        of the customer), in key order whatever the order of the rows of SCORING.

    Raises:
        InputError: there is no candidate.
        ModelError: the model was trained on other features.
    """
    pieces = [_score(piece, model) for piece in volume.read_batches(SCORING, as_of, batch_rows)]
    if not sum(len(piece) for piece in pieces):
        raise InputError(
            f"{volume.path(SCORING, as_of)}: found no candidates, expected at least one customer-product "
            f"pair; check that transactions before {as_of} exist and run create_features again"
        )
    scores = pd.concat(pieces).sort_values(["customer_id", "product_id"], ignore_index=True)
    scores["rank"] = rank_within_customer(scores["customer_id"], scores["product_id"], scores["probability"])
    return scores


def _score(piece: pa.Table, model: TrainedModel) -> pd.DataFrame:
    probability = np.asarray(model.predict_proba(features_frame(piece)), dtype=np.float64)
    return pd.DataFrame(
        {
            "customer_id": piece["customer_id"].to_numpy(),
            "product_id": piece["product_id"].to_numpy(),
            "probability": probability,
        }
    )
