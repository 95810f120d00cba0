"""Scores of a period's candidates: what explains a recommendation and what publishes it must agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sodai.data.catalog import SCORING
from sodai.data.customer_groups import rank_within_customer
from sodai.data.shard import Shard
from sodai.errors import InputError
from sodai.model.trained_model import TrainedModel
from sodai.runtime.concurrency import prefetch_map
from sodai.runtime.limits import available_cpus
from sodai.volume.sorted_tables import iter_whole_customers, read_sorted, shard_rows
from sodai.volume.volume import Volume

# About 15 MB of features, which the allocator still keeps for the next ones: memory from the kernel comes
# as pages of zeros, each of which costs as much as to read it.
BATCH_ROWS = 50_000


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
    """Every candidate of a shard of SCORING, about `batch_rows` at a time, in key order.

    Each core scores some by itself: LightGBM's threads would wait for the one whose core reads the next.

    Raises:
        InputError: there is no candidate in the whole table.
        ContractError: it breaks its contract, or is not in key order.
        ModelError: the model was trained on other features.
    """
    count_candidates(volume, as_of)
    path = volume.path(SCORING, as_of)
    rows = shard_rows(shard, path, SCORING.producer)
    pieces = read_sorted([path], SCORING.contract, SCORING.producer, rows)

    def scored(candidates: pa.Table) -> Scored:
        log_odds = model.log_odds(candidates, threads=1)
        customer_id, product_id = (candidates[name].to_numpy() for name in ("customer_id", "product_id"))
        return Scored(candidates, log_odds, rank_within_customer(customer_id, product_id, log_odds))

    return prefetch_map(scored, iter_whole_customers(pieces, batch_rows), available_cpus())


def count_candidates(volume: Volume, as_of: date) -> int:
    """How many candidates SCORING holds.

    Raises:
        VolumeError: it is missing or not readable.
        InputError: there is none.
    """
    path = volume.existing(SCORING, as_of)
    n_candidates = len(shard_rows(Shard(), path, SCORING.producer))
    if not n_candidates:
        raise InputError(
            f"{path}: found no candidates, expected at least one customer-product pair; check that "
            f"transactions before {as_of} exist and run create_features again"
        )
    return n_candidates
