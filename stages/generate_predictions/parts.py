"""Scores on disk before the volume of the period is counted in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sodai.datasets import PREDICT, SCORES
from sodai.model import TrainedModel
from sodai.ordered import adding_rows, pieces_of, read_in_order, whole_customers
from sodai.scoring import BATCH_ROWS, score_candidates
from sodai.volume import Volume


@dataclass(frozen=True)
class Scores:
    """The scores of all candidates of a period, in one file or several, in key order."""

    files: list[Path]

    def tables(self) -> Iterator[pa.Table]:
        """The columns of SCORES, whole customers at a time, the same tables however many files there are.

        Raises:
            VolumeError: a file is not readable as parquet.
            ContractError: a file breaks its contract, or the files together are not in key order.
        """
        return whole_customers(read_in_order(self.files, SCORES, PREDICT), BATCH_ROWS)

    def log_odds(self) -> Iterator[npt.NDArray[np.float64]]:
        """Their log-odds, `BATCH_ROWS` at a time, the same arrays however many files there are."""
        held = np.array([])
        for file in self.files:
            for piece in pieces_of(file, PREDICT, columns=["log_odds"]):
                held = np.concatenate([held, piece["log_odds"].to_numpy()])
                while len(held) >= BATCH_ROWS:
                    yield held[:BATCH_ROWS]
                    held = held[BATCH_ROWS:]
        yield held


def write_scores(file: Path, volume: Volume, day: date, model: TrainedModel) -> int:
    """Score the candidates; gives their number.

    Args:
        file: a private path, of an attempt.

    Raises:
        SodaiError: see `score_candidates`.
    """
    n_candidates = 0
    with adding_rows(file, SCORES) as add:
        for scored in score_candidates(volume, day, model):
            pair = [scored.candidates["customer_id"], scored.candidates["product_id"]]
            add(pa.table([*pair, pa.array(scored.log_odds), pa.array(scored.rank)], schema=SCORES.schema))
            n_candidates += len(scored.rank)
    return n_candidates
