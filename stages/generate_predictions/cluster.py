"""Scoring on a Spark cluster: one task per shard, with this stage's own code on the workers."""

import math
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

import generate_predictions
import sodai
from generate_predictions.score_files import ScoreFiles, write_scores
from sodai.data.catalog import PUBLISHED_MODEL
from sodai.data.shard import Shard
from sodai.engines.session import spark_session
from sodai.errors import SodaiError
from sodai.model.scoring import count_candidates
from sodai.model.trained_model import load_model
from sodai.volume.volume import Volume

# A second or two of work, compared with which the start of a task is short.
TASK_ROWS = 100_000
_RESULT_SCHEMA = "shard long, error string"


def score_on_cluster(remote: str, volume: Volume, day: date, folder: Path) -> ScoreFiles:
    """Score all candidates of a period with the same result as in one process.

    Args:
        remote: address of a Spark Connect server; the workers see the volume under its own path.
        volume: with the published model and SCORING.
        day: first day of the period.
        folder: private, on the volume.

    Raises:
        SodaiError: no cluster answers; see also `write_scores`.
    """
    n_shards = math.ceil(count_candidates(volume, day) / TASK_ROWS)
    shards = [Shard(number, n_shards) for number in range(n_shards)]
    root = volume.root

    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                yield run_task(root, day, Shard(number, n_shards), folder)

    with spark_session(remote, root) as session:
        session.addArtifacts(str(_pack_code(folder)), pyfile=True)
        tasks = session.range(0, n_shards, 1, n_shards)
        results = tasks.mapInArrow(score_batches, _RESULT_SCHEMA).toArrow().to_pylist()
    for error in filter(None, (result["error"] for result in results)):
        raise SodaiError(error)
    return ScoreFiles([_file(folder, shard) for shard in shards])


def run_task(root: Path, day: date, shard: Shard, folder: Path) -> pa.RecordBatch:
    """Score a shard on a worker, and return its number and the message of an expected failure."""
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


def _pack_code(folder: Path) -> Path:
    # Workers import this archive, so that they never run code of another revision.
    archive_file = folder / "code.zip"
    with zipfile.ZipFile(archive_file, "w") as archive:
        for package in (sodai, generate_predictions):
            [top] = map(Path, package.__path__)
            for file in sorted(top.rglob("*.py")):
                archive.write(file, file.relative_to(top.parent))
    return archive_file
