"""Partition files of the warehouse: written beside the old ones under a name made of their content."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.volume.atomic_files import private_path

# Rows of a row group: about 50 MB of lines, whatever the size of a partition.
_GROUP_ROWS = 1_000_000
_NAME_DIGITS = 20


def write_partitions(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, label: str, folder: Path
) -> dict[str, str]:
    """Write rows that come ordered by partition, a row group at a time.

    The same rows give the same files however they were cut into batches.

    Args:
        batches: the columns of `schema` and a column `label`, by which partitions are named and the
            rows are ordered.
        schema: what is written.
        label: `week`, for example.
        folder: of the data set; files are `week=2024-01-01/<content hash>.parquet` below it.

    Returns:
        the file of each partition, relative to `folder`.
    """
    written: dict[str, str] = {}
    writer: _PartitionWriter | None = None
    for value, rows in _runs(batches, label):
        if writer is None or writer.value != value:
            if writer is not None:
                written[writer.value] = writer.close()
            writer = _PartitionWriter(folder, label, value, schema)
        writer.add(rows.select(schema.names).cast(schema))
    if writer is not None:
        written[writer.value] = writer.close()
    return written


def remove_unnamed(folder: Path, named: Iterable[str]) -> int:
    """Remove the files below `folder` that are not named, relative to it; how many they were."""
    kept = {folder / name for name in named}
    stale = [path for path in folder.glob("*/*") if path not in kept]
    for path in stale:
        path.unlink()
    for partition in folder.glob("*/"):
        if not any(partition.iterdir()):
            partition.rmdir()
    return len(stale)


def _runs(batches: Iterable[pa.RecordBatch], label: str) -> Iterator[tuple[str, pa.Table]]:
    """Pieces of one partition each, in the order in which the rows come."""
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        values = rows[label].to_numpy()
        starts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1), len(values)]
        for start, end in pairwise(starts):
            if end > start:
                yield str(rows[label][start].as_py()), rows.slice(start, end - start)


class _PartitionWriter:
    """One partition file in the making; `close` gives it its name."""

    def __init__(self, folder: Path, label: str, value: str, schema: pa.Schema) -> None:
        self.value = value
        self._folder = folder
        self._partition = folder / f"{label}={value}"
        self._partition.mkdir(parents=True, exist_ok=True)
        self._path = private_path(self._partition / "unfinished")
        self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        self._waiting: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        while sum(len(piece) for piece in self._waiting) >= _GROUP_ROWS:
            waiting = pa.concat_tables(self._waiting)
            self._write(waiting.slice(0, _GROUP_ROWS))
            self._waiting = [waiting.slice(_GROUP_ROWS)]

    def close(self) -> str:
        rest = pa.concat_tables(self._waiting)
        if len(rest):
            self._write(rest)
        self._writer.close()
        with self._path.open("rb") as written:
            os.fsync(written.fileno())
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        target = self._partition / f"{digest[:_NAME_DIGITS]}.parquet"
        os.replace(self._path, target)
        return target.relative_to(self._folder).as_posix()

    def _write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=_GROUP_ROWS)
