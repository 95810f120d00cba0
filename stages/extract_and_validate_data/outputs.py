"""The outputs of the stage: partition files of the warehouse, its ledger, and what a week gets."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby, pairwise
from operator import itemgetter
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
    files = {}
    for value, pieces in groupby(_split_by_partition(batches, label), key=itemgetter(0)):
        tables = (rows.select(schema.names).cast(schema) for _, rows in pieces)
        files[value] = _write_partition(folder / f"{label}={value}", tables, schema)
    return {value: file.relative_to(folder).as_posix() for value, file in files.items()}


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


def _write_partition(partition: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> Path:
    partition.mkdir(parents=True, exist_ok=True)
    private = private_path(partition / "unfinished")
    with pq.ParquetWriter(private, schema, compression="zstd") as writer:
        for group in _row_groups(tables):
            writer.write_table(group.combine_chunks(), row_group_size=_GROUP_ROWS)
    with private.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = partition / f"{digest[:_NAME_DIGITS]}.parquet"
    os.replace(private, target)
    return target


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    buffer: list[pa.Table] = []
    for table in tables:
        buffer.append(table)
        while sum(len(piece) for piece in buffer) >= _GROUP_ROWS:
            rows = pa.concat_tables(buffer)
            yield rows.slice(0, _GROUP_ROWS)
            buffer = [rows.slice(_GROUP_ROWS)]
    rest = pa.concat_tables(buffer)
    if len(rest):
        yield rest
