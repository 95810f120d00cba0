"""Scores of a period's candidates: what explains a recommendation and what publishes it must agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sodai.datasets import SCORING
from sodai.errors import InputError
from sodai.model import TrainedModel
from sodai.ordered import Shard, one_ahead, read_in_order, whole_customers
from sodai.selection import rank_within_customer
from sodai.volume import Volume

# About 60 MB of features: enough for LightGBM to be fast, little beside what a stage imports.
BATCH_ROWS = 200_000


@dataclass(frozen=True)
class Scored:
    """Candidates of whole customers, with what the model says of each.

    `candidates` has the columns of SCORING in key order, `log_odds` (n,) are calibrated, of at least
    one purchase in a period of usual volume, `rank` (n,) is 1 for the best of a customer.
    """

    candidates: pa.Table
    log_odds: npt.NDArray[np.float64]
    rank: npt.NDArray[np.int32]


def score_candidates(
    volume: Volume, as_of: date, model: TrainedModel, shard: Shard = Shard(), batch_rows: int = BATCH_ROWS
) -> Iterator[Scored]:
    """Every candidate of a shard of SCORING, read and scored about `batch_rows` at a time.

    While some are scored, on all cores but for what only one can do, the next ones are read.

    Raises:
        InputError: there is no candidate in the whole table.
        ContractError: it breaks its contract, or is not in key order.
        ModelError: the model was trained on other features.
    """
    n_candidates_of(volume, as_of)
    path = volume.path(SCORING, as_of)
    rows = shard.rows_of(path, SCORING.producer)
    pieces = read_in_order([path], SCORING.contract, SCORING.producer, rows)
    ready = ((rows, model.encoded(rows)) for rows in whole_customers(pieces, batch_rows))
    for candidates, encoded in one_ahead(ready):
        log_odds = model.log_odds_of(encoded)
        customer_id, product_id = (candidates[name].to_numpy() for name in ("customer_id", "product_id"))
        yield Scored(candidates, log_odds, rank_within_customer(customer_id, product_id, log_odds))


def n_candidates_of(volume: Volume, as_of: date) -> int:
    """How many candidates SCORING holds.

    Raises:
        VolumeError: it is missing or not readable.
        InputError: there is none.
    """
    path = volume.existing(SCORING, as_of)
    n_candidates = len(Shard().rows_of(path, SCORING.producer))
    if not n_candidates:
        raise InputError(
            f"{path}: found no candidates, expected at least one customer-product pair; check that "
            f"transactions before {as_of} exist and run create_features again"
        )
    return n_candidates
