"""The outputs of the stage: partition files of the warehouse, its ledger, and what a week gets."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from extract_and_validate_data.core_ledger import Ledger
from extract_and_validate_data.core_page import render_quality_page
from extract_and_validate_data.core_tables import TableReport
from sodai.data.catalog import CUSTOMERS, EXTRACT, LEDGER, PRODUCTS, QUALITY, QUALITY_PAGE
from sodai.volume.atomic_files import private_path
from sodai.volume.volume import Volume

# Rows of a row group: about 50 MB of lines, whatever the size of a partition.
_GROUP_ROWS = 1_000_000
_NAME_DIGITS = 20


def write_outputs(
    volume: Volume,
    as_of: date,
    ledger: Ledger,
    tables: Mapping[str, TableReport],
    quality: Mapping[str, Any],
) -> None:
    """Write the ledger, and the customers, the products and the quality report of a week."""
    with volume.attempt(EXTRACT, as_of) as attempt:
        attempt.write_json(LEDGER, ledger.to_record())
        attempt.write(CUSTOMERS, tables["customers"].checked.table)
        attempt.write(PRODUCTS, tables["products"].checked.table)
        attempt.write_json(QUALITY, quality)
        attempt.write_text(QUALITY_PAGE, render_quality_page(quality))


def write_partitions(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, label: str, folder: Path
) -> dict[str, str]:
    """Write one file for each partition of ordered rows, named by its content, a row group at a time.

    The same rows make the same files, whatever the size of the batches. Existing files stay.

    Args:
        batches: the columns of `schema`, and the column `label`, by which rows are ordered.
        schema: columns to write.
        label: column whose values name the partitions, `week` for example.
        folder: of the data set; files are `week=2024-01-01/<content hash>.parquet` below it.

    Returns:
        partition -> file, relative to `folder`.
    """
    files: dict[str, str] = {}
    writer: _PartitionWriter | None = None
    for value, rows in _split_by_partition(batches, label):
        if writer is None or writer.value != value:
            if writer is not None:
                files[writer.value] = writer.close()
            writer = _PartitionWriter(folder, label, value, schema)
        writer.add(rows.select(schema.names).cast(schema))
    if writer is not None:
        files[writer.value] = writer.close()
    return files


def remove_partitions_except(folder: Path, names: Iterable[str]) -> int:
    """Remove the files below `folder` that are not among `names`, relative to it; return their number."""
    kept = {folder / name for name in names}
    stale = [path for path in folder.glob("*/*") if path not in kept]
    for path in stale:
        path.unlink()
    for partition in folder.glob("*/"):
        if not any(partition.iterdir()):
            partition.rmdir()
    return len(stale)


def _split_by_partition(batches: Iterable[pa.RecordBatch], label: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield rows of one partition at a time, in their order."""
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        values = rows[label].to_numpy()
        starts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1), len(values)]
        for start, end in pairwise(starts):
            if end > start:
                yield str(rows[label][start].as_py()), rows.slice(start, end - start)


class _PartitionWriter:
    """A partition file while it is written; `close` names it by its content."""

    def __init__(self, folder: Path, label: str, value: str, schema: pa.Schema) -> None:
        self.value = value
        self._folder = folder
        self._partition = folder / f"{label}={value}"
        self._partition.mkdir(parents=True, exist_ok=True)
        self._path = private_path(self._partition / "unfinished")
        self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        self._buffer: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        self._buffer.append(rows)
        while sum(len(piece) for piece in self._buffer) >= _GROUP_ROWS:
            buffered = pa.concat_tables(self._buffer)
            self._write(buffered.slice(0, _GROUP_ROWS))
            self._buffer = [buffered.slice(_GROUP_ROWS)]

    def close(self) -> str:
        rest = pa.concat_tables(self._buffer)
        if len(rest):
            self._write(rest)
        self._writer.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = self._partition / f"{digest[:_NAME_DIGITS]}.parquet"
        os.replace(self._path, target)
        return target.relative_to(self._folder).as_posix()

    def _write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=_GROUP_ROWS)
