"""Scores that the workers of a Spark cluster make, a shard a task, with this stage's own code."""

import math
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

import generate_predictions
import sodai
from generate_predictions.parts import Scores, write_scores
from sodai.data.catalog import PUBLISHED_MODEL
from sodai.data.shard import Shard
from sodai.errors import SodaiError
from sodai.model.scoring import count_candidates
from sodai.model.trained_model import load_model
from sodai.volume.volume import Volume

# A second or two of work, beside which the start of a task is little.
TASK_ROWS = 100_000
_ANSWER = "shard long, error string"


def scores_of_cluster(session: SparkSession, volume: Volume, day: date, folder: Path) -> Scores:
    """The scores of all candidates of a period, as one process would make them.

    Args:
        session: of a cluster whose workers see the volume under its own path.
        volume: with the published model and SCORING.
        day: first day of the period.
        folder: private, on the volume.

    Raises:
        SodaiError: see `write_scores`.
    """
    n_shards = math.ceil(count_candidates(volume, day) / TASK_ROWS)
    shards = [Shard(number, n_shards) for number in range(n_shards)]
    session.addArtifacts(str(_packed_code(folder)), pyfile=True)
    root = volume.root

    def scored(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                yield answer_of(root, day, Shard(number, n_shards), folder)

    tasks = session.range(0, n_shards, 1, n_shards)
    answers = tasks.mapInArrow(scored, _ANSWER).toArrow().to_pylist()
    for error in filter(None, (answer["error"] for answer in answers)):
        raise SodaiError(error)
    return Scores([_file(folder, shard) for shard in shards])


def answer_of(root: Path, day: date, shard: Shard, folder: Path) -> pa.RecordBatch:
    """Score a shard, on a worker; an expected failure is the one line that travels back."""
    volume, error = Volume(root), None
    try:
        model = load_model(volume.path(PUBLISHED_MODEL, day))
        write_scores(_file(folder, shard), volume, day, model, shard)
    except SodaiError as failure:
        error = str(failure)
    columns = [pa.array([shard.number], pa.int64()), pa.array([error], pa.string())]
    return pa.RecordBatch.from_arrays(columns, ["shard", "error"])


def _file(folder: Path, shard: Shard) -> Path:
    return folder / f"{shard.name}.parquet"


def _packed_code(folder: Path) -> Path:
    """The code of this stage in one file, which workers import: they never run that of another revision."""
    packed = folder / "code.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for package in (sodai, generate_predictions):
            [top] = map(Path, package.__path__)
            for file in sorted(top.rglob("*.py")):
                archive.write(file, file.relative_to(top.parent))
    return packed
