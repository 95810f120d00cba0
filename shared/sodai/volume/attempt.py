"""One attempt of a stage: its outputs are written to a private area and renamed into place together."""

import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sodai.data.catalog import Dataset
from sodai.volume.atomic_files import leftover_paths, private_path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Attempt:
    """The outputs of one attempt, below private paths until they are committed."""

    def __init__(self, root: Path, private: Path, as_of: date | None) -> None:
        """Start without outputs.

        Args:
            root: of the volume.
            private: an empty folder on the file system of the volume.
            as_of: first day of the period.
        """
        self._root = root
        self._private = private
        self._as_of = as_of
        self._publish_roots: dict[str, None] = {}

    def path(self, dataset: Dataset, file_name: str = "") -> Path:
        """Return a private path for `dataset`, or for a file of the folder that it is.

        Files written there are committed with the other outputs.
        """
        path = self._private / dataset.relative_path(self._as_of) / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        publish_root = dataset.relative_publish_root(self._as_of)
        if publish_root not in self._publish_roots:
            _restore(self._root / publish_root)
            self._publish_roots[publish_root] = None
        return path

    def write(self, dataset: Dataset, table: pa.Table) -> None:
        """Check a table against its contract and write it.

        Raises:
            ContractError: the table breaks the contract of `dataset`.
        """
        table = table.select([name for name in dataset.contract.names if name in table.column_names])
        dataset.contract.check(table, dataset.name)
        pq.write_table(
            table.cast(dataset.contract.schema).replace_schema_metadata(None),
            self.path(dataset),
            compression="zstd",
        )

    def write_batches(self, dataset: Dataset, batches: Iterable[pa.RecordBatch], file_name: str = "") -> int:
        """Write a table that may be larger than memory and return its number of rows.

        Each batch is checked against the contract; keys that repeat in different batches are not noticed.

        Args:
            dataset: a tabular data set.
            batches: its rows in their order.
            file_name: the file to write, for a data set that is a folder.

        Raises:
            ContractError: a batch breaks the contract of `dataset`.
        """
        n_rows = 0
        path = self.path(dataset, file_name)
        schema = dataset.contract.schema
        # Written and read by the million: lz4 takes half the time of zstd and half as much space again.
        # Numbers differ from row to row, so that a dictionary of them only costs time.
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=texts) as writer:
            for batch in batches:
                table = pa.Table.from_batches([batch])
                dataset.contract.check(table, dataset.name)
                writer.write_table(table.cast(schema))
                n_rows += batch.num_rows
        return n_rows

    def scratch(self, name: str) -> Path:
        """Return a private folder for temporary files, which is removed at the end of the attempt."""
        folder = self._private / ".scratch" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_json(self, dataset: Dataset, record: Mapping[str, Any]) -> None:
        """Write a record as JSON, with dates as YYYY-MM-DD; NaN raises ValueError."""
        text = json.dumps(record, indent=2, default=_jsonable, allow_nan=False, ensure_ascii=False)
        self.write_text(dataset, text + "\n")

    def write_text(self, dataset: Dataset, text: str) -> None:
        """Write a text file, a page for example."""
        self.path(dataset).write_text(text, encoding="utf-8")

    def commit(self) -> None:
        """Rename every publish root into place, whole or not at all, the stage's own folder last."""
        for publish_root in sorted(self._publish_roots, key=lambda path: path.startswith("weeks/")):
            source, target = self._private / publish_root, self._root / publish_root
            _sync(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir() and target.is_dir():
                _exchange(source, target)
            else:
                os.replace(source, target)


def _exchange(source: Path, target: Path) -> None:
    """Swap two folders in one step, so that no reader ever misses the target."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        paths = os.fsencode(source), os.fsencode(target)
        if renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))
    # File systems without exchange (NFS, some overlays) take two renames. A process that is killed in between
    # leaves the old folder under its private path, from which the next attempt restores it.
    replaced = private_path(target)
    os.rename(target, replaced)
    try:
        os.rename(source, target)
    except OSError:
        with suppress(OSError):
            os.rename(replaced, target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _restore(target: Path) -> None:
    """Rename the folder back that a killed process had moved away; remove it if the new one is in place."""
    for replaced in leftover_paths(target):
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.is_dir():
            os.rename(replaced, target)


def _sync(path: Path) -> None:
    """Have the system write a file, or the files of a folder, to the disk."""
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _jsonable(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
