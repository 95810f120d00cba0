"""Scores of a period's candidates, the same for recommendations and for their reasons."""

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

# About 15 MB of features, which the allocator reuses for the next batch. Memory from the kernel comes as
# pages of zeros, and zeroing a page costs as much as reading it.
BATCH_ROWS = 50_000


@dataclass(frozen=True)
class ScoredCandidates:
    """Candidates of whole customers with their scores.

    `candidates` has the columns of SCORING in key order, `log_odds` (n,) the calibrated log-odds of at least
    one purchase in a period of usual demand, `rank` (n,) is 1 for the best candidate of a customer.
    """

    candidates: pa.Table
    log_odds: npt.NDArray[np.float64]
    rank: npt.NDArray[np.int32]


def score_candidates(
    volume: Volume, as_of: date, model: TrainedModel, shard: Shard = Shard(), batch_rows: int = BATCH_ROWS
) -> Iterator[ScoredCandidates]:
    """Yield every candidate of a shard of SCORING with its score, in key order.

    Args:
        volume: with SCORING of the period.
        as_of: first day of the period.
        model: for the features of SCORING.
        shard: the whole table by default.
        batch_rows: about how many candidates come together.

    Raises:
        InputError: the whole table has no candidate.
        ContractError: it breaks its contract, or is not in key order.
    """
    count_candidates(volume, as_of)
    path = volume.path(SCORING, as_of)
    rows = shard_rows(shard, path, SCORING.producer)
    row_groups = read_sorted([path], SCORING.contract, SCORING.producer, rows)

    def score(candidates: pa.Table) -> ScoredCandidates:
        log_odds = model.log_odds(candidates, threads=1)
        customer_id, product_id = (candidates[name].to_numpy() for name in ("customer_id", "product_id"))
        return ScoredCandidates(candidates, log_odds, rank_within_customer(customer_id, product_id, log_odds))

    # Each batch is scored by one core: LightGBM's own threads would wait for the core that reads the next.
    return prefetch_map(score, iter_whole_customers(row_groups, batch_rows), available_cpus())


def count_candidates(volume: Volume, as_of: date) -> int:
    """Return the number of candidates in SCORING.

    Raises:
        VolumeError: the table is missing or not readable.
        InputError: it has no candidate.
    """
    path = volume.existing(SCORING, as_of)
    n_candidates = len(shard_rows(Shard(), path, SCORING.producer))
    if not n_candidates:
        raise InputError(
            f"{path}: found no candidates, expected at least one customer-product pair; check that "
            f"transactions before {as_of} exist and rerun create_features"
        )
    return n_candidates
