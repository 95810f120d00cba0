"""Scores of a period's candidates: what explains a recommendation and what publishes it must agree."""

from datetime import date

import pandas as pd
import pyarrow as pa

from sodai.datasets import SCORING
from sodai.errors import InputError
from sodai.forecasts import expected_volume
from sodai.model import TrainedModel, features_frame
from sodai.selection import rank_within_customer
from sodai.volume import Volume

# About 100 MB of features: enough for LightGBM to be fast, little beside what a stage imports.
BATCH_ROWS = 200_000


def score_candidates(
    volume: Volume, as_of: date, model: TrainedModel, batch_rows: int = BATCH_ROWS
) -> pd.DataFrame:
    """Probability and rank of every candidate of SCORING, read and scored `batch_rows` at a time.

    The probabilities of all candidates add up to the volume that FORECASTS expects of them.

    Returns:
        customer_id, product_id, probability (of at least one purchase in the period), rank (1 = best
        of the customer), in key order whatever the order of the rows of SCORING.

    Raises:
        InputError: there is no candidate, or no forecast of the period's volume.
        ModelError: the model was trained on other features.
    """
    expected = expected_volume(volume, as_of, as_of, model.manifest["missing_share"])
    pieces = [_score(piece, model) for piece in volume.read_batches(SCORING, as_of, batch_rows)]
    if not sum(len(piece) for piece in pieces):
        raise InputError(
            f"{volume.path(SCORING, as_of)}: found no candidates, expected at least one customer-product "
            f"pair; check that transactions before {as_of} exist and run create_features again"
        )
    scores = pd.concat(pieces).sort_values(["customer_id", "product_id"], ignore_index=True)
    scores["probability"] = expected.probabilities(scores.pop("log_odds").to_numpy())
    scores["rank"] = rank_within_customer(scores["customer_id"], scores["product_id"], scores["probability"])
    return scores


def _score(piece: pa.Table, model: TrainedModel) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": piece["customer_id"].to_numpy(),
            "product_id": piece["product_id"].to_numpy(),
            "log_odds": model.log_odds(features_frame(piece)),
        }
    )
