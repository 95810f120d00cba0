"""Files of scores, of one shard or of all candidates, from which probabilities are computed later."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sodai.data.catalog import PREDICT, PUBLISHED_MODEL, SCORES, SCORING, shard_origin, shard_scores
from sodai.data.shard import Shard
from sodai.errors import VolumeError
from sodai.evaluation.purchase_set import Blocks
from sodai.model.scoring import BATCH_ROWS, score_candidates
from sodai.model.trained_model import ESTIMATOR_FILE, MODEL_CARD_FILE, TrainedModel
from sodai.volume.file_hashes import sha256_of
from sodai.volume.sorted_tables import iter_row_groups, iter_whole_customers, read_sorted, sorted_writer
from sodai.volume.volume import Volume

# A thread works on a block of this size for some milliseconds.
_BLOCK_ROWS = 500_000


@dataclass(frozen=True)
class ScoreFiles:
    """The scores of all candidates of a period, in one file or several, in key order."""

    files: list[Path]

    def tables(self) -> Iterator[pa.Table]:
        """Yield the columns of SCORES in tables of whole customers, the same for any number of files.

        Raises:
            VolumeError: a file is not readable as parquet.
            ContractError: a file breaks its contract, or the files together are not in key order.
        """
        return iter_whole_customers(read_sorted(self.files, SCORES, PREDICT), BATCH_ROWS)

    def log_odds(self, scratch: Path) -> Blocks:
        """Return the log-odds in blocks of `_BLOCK_ROWS`, the same for any number of files.

        Args:
            scratch: a private file, which is overwritten.
        """
        # They are passed over some ten times: a memory map of an uncompressed copy spares all passes but
        # the first from decoding the files, and does not need the memory of a copy in RAM.
        n_rows = 0
        with scratch.open("wb") as copy:
            for file in self.files:
                for rows in iter_row_groups(file, PREDICT, columns=["log_odds"]):
                    rows["log_odds"].to_numpy().tofile(copy)
                    n_rows += rows.num_rows
        log_odds = np.memmap(scratch, np.float64, mode="r") if n_rows else np.array([])
        return lambda: (log_odds[start : start + _BLOCK_ROWS] for start in range(0, n_rows, _BLOCK_ROWS))


def write_scores(file: Path, volume: Volume, day: date, model: TrainedModel, shard: Shard) -> int:
    """Score the candidates of a shard, write the columns of SCORES and return the number of rows.

    Raises:
        SodaiError: see `score_candidates`.
    """
    n_candidates = 0
    with sorted_writer(file, SCORES) as append:
        for scored in score_candidates(volume, day, model, shard):
            pair = [scored.candidates["customer_id"], scored.candidates["product_id"]]
            append(pa.table([*pair, pa.array(scored.log_odds), pa.array(scored.rank)], schema=SCORES.schema))
            n_candidates += len(scored.rank)
    return n_candidates


def read_shards(volume: Volume, day: date, model: TrainedModel, n_shards: int) -> ScoreFiles:
    """Return the score files of all shards.

    Raises:
        VolumeError: a shard is missing, or was scored with another model or from other candidates.
    """
    files, origin = [], score_origin(volume, day, model)
    for shard in (Shard(number, n_shards) for number in range(n_shards)):
        file = volume.path(shard_scores(shard.name), day)
        command = f"{PREDICT} --shard {shard.number} --shards {n_shards}"
        if not (file.exists() and volume.exists(shard_origin(shard.name), day)):
            raise VolumeError(
                f"{file}: missing, expected the scores of {n_shards} shards; run {command} first"
            )
        written = volume.read_json(shard_origin(shard.name), day)
        for name, expected in origin.items():
            if written.get(name) != expected:
                raise VolumeError(
                    f"{file}: scored with {name} {written.get(name)}, expected {expected}; rerun {command}"
                )
        files.append(file)
    return ScoreFiles(files)


def score_origin(volume: Volume, day: date, model: TrainedModel) -> dict[str, Any]:
    """Return version and hashes of the model and the candidates that scores depend on."""
    folder = volume.path(PUBLISHED_MODEL, day)
    return {
        "model_version": str(model.card["version"]),
        "estimator_sha256": sha256_of(folder / ESTIMATOR_FILE),
        "model_card_sha256": sha256_of(folder / MODEL_CARD_FILE),
        "candidates_footer_sha256": _footer_sha256(volume.existing(SCORING, day)),
    }


def _footer_sha256(file: Path) -> str:
    # The footer holds sizes and bounds of every column chunk. To hash the whole file would cost each shard
    # as much reading as all shards together.
    with file.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        n_bytes = int.from_bytes(stream.read(4), "little")
        stream.seek(-8 - n_bytes, os.SEEK_END)
        return hashlib.sha256(stream.read(n_bytes)).hexdigest()
