"""Scores on disk before the volume of the period is counted in: of one shard, or of all of them."""

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

# Numbers of one pass: a thread works on them for some milliseconds.
_BLOCK_ROWS = 500_000


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
        return iter_whole_customers(read_sorted(self.files, SCORES, PREDICT), BATCH_ROWS)

    def log_odds(self, scratch: Path) -> Blocks:
        """Their log-odds, `_BLOCK_ROWS` at a time, the same arrays however many files there are.

        They are passed over some ten times: a copy on disk, neither compressed nor in memory, spares all
        passes but this one their reading.

        Args:
            scratch: a private file, which is written.
        """
        n_rows = 0
        with scratch.open("wb") as copy:
            for file in self.files:
                for piece in iter_row_groups(file, PREDICT, columns=["log_odds"]):
                    piece["log_odds"].to_numpy().tofile(copy)
                    n_rows += piece.num_rows
        held = np.memmap(scratch, np.float64, mode="r") if n_rows else np.array([])
        return lambda: (held[start : start + _BLOCK_ROWS] for start in range(0, n_rows, _BLOCK_ROWS))


def write_scores(file: Path, volume: Volume, day: date, model: TrainedModel, shard: Shard) -> int:
    """Score the candidates of a shard; gives their number.

    Args:
        file: a private path, of an attempt.

    Raises:
        SodaiError: see `score_candidates`.
    """
    n_candidates = 0
    with sorted_writer(file, SCORES) as add:
        for scored in score_candidates(volume, day, model, shard):
            pair = [scored.candidates["customer_id"], scored.candidates["product_id"]]
            add(pa.table([*pair, pa.array(scored.log_odds), pa.array(scored.rank)], schema=SCORES.schema))
            n_candidates += len(scored.rank)
    return n_candidates


def scored_shards(volume: Volume, day: date, n_shards: int, origin: dict[str, Any]) -> Scores:
    """The scores that the shards left.

    Args:
        n_shards: how many there must be.
        origin: of `origin_of`, the same for all.

    Raises:
        VolumeError: a shard is missing, or was scored with another model or from other candidates.
    """
    files = []
    for shard in (Shard(number, n_shards) for number in range(n_shards)):
        file, run = volume.path(shard_scores(shard.name), day), _command(shard)
        if not (file.exists() and volume.exists(shard_origin(shard.name), day)):
            raise VolumeError(f"{file}: missing, expected the scores of {n_shards} shards; run {run} first")
        found = volume.read_json(shard_origin(shard.name), day)
        for name, expected in origin.items():
            if found.get(name) != expected:
                raise VolumeError(
                    f"{file}: scored with {name} {found.get(name)}, expected {expected}; run {run} again"
                )
        files.append(file)
    return Scores(files)


def origin_of(volume: Volume, day: date, model: TrainedModel) -> dict[str, Any]:
    """What scores depend on: the model and the candidates, by version and content.

    Of the candidates the footer of their file counts, which holds the sizes and bounds of all that
    is in it: reading every row once more would cost a shard what the others read.
    """
    folder = volume.path(PUBLISHED_MODEL, day)
    return {
        "model_version": str(model.card["version"]),
        "estimator_sha256": sha256_of(folder / ESTIMATOR_FILE),
        "model_card_sha256": sha256_of(folder / MODEL_CARD_FILE),
        "candidates_footer_sha256": _footer_sha256(volume.existing(SCORING, day)),
    }


def _footer_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        opened.seek(-8, os.SEEK_END)
        n_bytes = int.from_bytes(opened.read(4), "little")
        opened.seek(-8 - n_bytes, os.SEEK_END)
        return hashlib.sha256(opened.read(n_bytes)).hexdigest()


def _command(shard: Shard) -> str:
    return f"{PREDICT} --shard {shard.number} --shards {shard.count}"
