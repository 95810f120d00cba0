"""The shared volume: one checked way to read a data set, and one atomic way to publish a stage's output."""

import ctypes
import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sodai.data.catalog import Dataset
from sodai.errors import VolumeError, first_line
from sodai.volume.atomic_files import leftover_paths, private_path
from sodai.volume.locks import exclusive_lock

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_FULL_OR_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}
_ATTEMPTS = ".attempts"
# A try that was killed may take a moment to die, while the next one begins.
_PATIENCE_SECONDS = 10.0


class UndeclaredInputError(Exception):
    """A stage uses a data set that it does not declare: a bug, since its fingerprint would miss a change."""

    def __init__(self, name: str, as_of: date | None) -> None:
        super().__init__(
            f"{name} of {as_of or 'the volume'} is not declared; add it to Inputs in the stage's cli.py"
        )


class Volume:
    """The root folder that all stages share, and the only place where its paths are made."""

    def __init__(self, root: Path, permits: Callable[[Dataset, date | None], bool] | None = None) -> None:
        """Raise VolumeError if `root` is a file; a missing folder is created by the first write.

        Args:
            root: folder of the volume.
            permits: whether a data set of a period may be used; every one if None.
        """
        self.root = Path(root).resolve()
        self._permits = permits
        if self.root.exists() and not self.root.is_dir():
            raise VolumeError(
                f"{self.root}: is a file, expected the folder of the volume; give --data a folder"
            )

    def path(self, dataset: Dataset, as_of: date | None = None) -> Path:
        """Return the path of `dataset` for the period that starts on `as_of`.

        Raises:
            UndeclaredInputError: the stage does not declare that it reads it.
        """
        if self._permits is not None and not self._permits(dataset, as_of):
            raise UndeclaredInputError(dataset.name, as_of)
        return self.root / dataset.relative_path(as_of)

    def exists(self, dataset: Dataset, as_of: date | None = None) -> bool:
        """Whether `dataset` has been published for that period."""
        return self.path(dataset, as_of).exists()

    def read(
        self,
        dataset: Dataset,
        as_of: date | None = None,
        columns: list[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """A table of the volume, checked against its contract.

        Args:
            dataset: a tabular data set.
            as_of: first day of the period, for data sets made per period.
            columns: the columns to read; all, checked in full, if None. With columns only the
                schema is checked, for tables that are larger than what the caller needs.
            where: the rows to read; all if None.

        Raises:
            VolumeError: the table is not there or is not parquet.
            ContractError: it breaks its contract.
        """
        path = self.existing(dataset, as_of)
        with explain_read_errors(path, dataset.remedy):
            parts = _parts(path)
            if columns is not None:
                for part in parts:
                    dataset.contract.check_schema(pq.read_schema(part).remove_metadata(), str(part))
            tables = [
                pq.read_table(part, columns=columns, partitioning=None, filters=where) for part in parts
            ]
            table = pa.concat_tables(tables)
        if columns is None:
            dataset.contract.check(table, str(path))
        return table

    def read_json(self, dataset: Dataset, as_of: date | None = None) -> dict[str, Any]:
        """A JSON record of the volume.

        Raises:
            VolumeError: the record is not there or is not JSON.
        """
        path = self.existing(dataset, as_of)
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise VolumeError(
                f"{path}: not readable as JSON ({first_line(error)}); run {dataset.remedy}"
            ) from None
        return record

    def existing(self, dataset: Dataset, as_of: date | None = None) -> Path:
        """The path of a data set that must be there.

        Raises:
            VolumeError: it has not been published for that period.
        """
        path = self.path(dataset, as_of)
        if not path.exists():
            raise VolumeError(
                f"{path}: {dataset.name} is missing; run {dataset.producer} for this period first"
            )
        return path

    @contextmanager
    def attempt(self, stage: str, as_of: date | None = None) -> Iterator["Attempt"]:
        """A private area for one try of a stage; what it wrote is published when the block ends well.

        An error in the block, or the end of the process, leaves what was published before, whole. There
        is one try of a stage and period at a time: what is left of earlier ones is removed first.

        Raises:
            VolumeError: the volume is read-only or full, or another try is under way.
        """
        name = f"{stage}-{as_of}"
        area = self.root / _ATTEMPTS / name
        private = area / uuid.uuid4().hex
        busy = f"{self.root}: another run of {stage} for {as_of} is under way"
        with self.lock(name, busy, _PATIENCE_SECONDS) as alone:
            if alone:
                shutil.rmtree(area, ignore_errors=True)
            private.mkdir(parents=True)
            try:
                attempt = Attempt(self, private, as_of)
                yield attempt
                attempt.commit()
            finally:
                shutil.rmtree(private, ignore_errors=True)
                with suppress(OSError):  # without locks another try may be at work beside this one
                    area.rmdir()

    @contextmanager
    def lock(self, name: str, busy: str, patience: float = math.inf) -> Iterator[bool]:
        """Hold the lock `name` for the block, see `sodai.volume.locks.exclusive_lock`.

        Raises:
            VolumeError: the volume is read-only or full, or another process held it for too long.
        """
        attempts = self.root / _ATTEMPTS
        with explain_write_errors(self.root):
            attempts.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(attempts / f"{name}.lock", busy, patience) as alone:
                yield alone


class Attempt:
    """The outputs of one try of a stage, under private paths until they are published together."""

    def __init__(self, volume: Volume, private: Path, as_of: date | None) -> None:
        self.volume = volume
        self._private = private
        self._as_of = as_of
        self._units: dict[str, None] = {}

    def path(self, dataset: Dataset, part: str = "") -> Path:
        """A private path for `dataset`, or for the file `part` of the folder that it is.

        What is written there is published with the rest.
        """
        path = self._private / dataset.relative_path(self._as_of) / part
        path.parent.mkdir(parents=True, exist_ok=True)
        unit = dataset.relative_publish_root(self._as_of)
        if unit not in self._units:
            _put_back(self.volume.root / unit)
            self._units[unit] = None
        return path

    def write(self, dataset: Dataset, table: pa.Table) -> None:
        """Write a table after checking it against its contract.

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

    def write_batches(self, dataset: Dataset, batches: Iterable[pa.RecordBatch], part: str = "") -> int:
        """Write a table that may be larger than memory, each batch checked against the contract.

        Returns the number of rows. The key is checked within a batch only.

        Args:
            dataset: a tabular data set.
            batches: its rows in their order.
            part: of a data set that is a folder of files, the one that they make.

        Raises:
            ContractError: a batch breaks the contract of `dataset`.
        """
        n_rows = 0
        path = self.path(dataset, part)
        schema = dataset.contract.schema
        # Made and read by the million: lz4 takes half the time of zstd and half as much space again. Numbers
        # differ from row to row, so that a dictionary of them only costs.
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=words) as writer:
            for batch in batches:
                piece = pa.Table.from_batches([batch])
                dataset.contract.check(piece, dataset.name)
                writer.write_table(piece.cast(schema))
                n_rows += batch.num_rows
        return n_rows

    def scratch(self, name: str) -> Path:
        """A private folder for what a try needs on disk meanwhile; it goes when the try ends."""
        folder = self._private / ".scratch" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_json(self, dataset: Dataset, record: Mapping[str, Any]) -> None:
        """Write a record as JSON; dates become YYYY-MM-DD, NaN is refused."""
        text = json.dumps(record, indent=2, default=_jsonable, allow_nan=False, ensure_ascii=False)
        self.write_text(dataset, text + "\n")

    def write_text(self, dataset: Dataset, text: str) -> None:
        """Write a text file, a page for example."""
        self.path(dataset).write_text(text, encoding="utf-8")

    def commit(self) -> None:
        """Move every unit into place; each appears whole or not at all, a stage's own folder last."""
        for unit in sorted(self._units, key=lambda unit: unit.startswith("weeks/")):
            source, target = self._private / unit, self.volume.root / unit
            _sync(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir() and target.is_dir():
                _exchange(source, target)
            else:
                os.replace(source, target)


@contextmanager
def explain_read_errors(file: Path, run: str) -> Iterator[None]:
    """Turn a damaged parquet file, met inside the block, into a one-line error.

    Args:
        file: what the block reads.
        run: what makes it anew, after the word `run`.

    Raises:
        VolumeError: with the path and what Arrow said.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        # Arrow names a damaged page an OSError; those of the system carry their number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise VolumeError(f"{file}: not readable as parquet ({first_line(error)}); run {run}") from None


@contextmanager
def explain_write_errors(
    where: Path, remedy: str = "give the volume space and this user the right to write"
) -> Iterator[None]:
    """Turn a read-only or full volume, met inside the block, into a one-line error.

    Args:
        where: to write, if the system does not tell.
        remedy: what to do.

    Raises:
        VolumeError: with the path and what the system said.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL_OR_FORBIDDEN:
            raise
        raise VolumeError(
            f"{error.filename or where}: cannot be written ({os.strerror(error.errno)}); {remedy}, then run "
            "it again"
        ) from error


def _parts(path: Path) -> list[Path]:
    """The parquet files of a table, which is one or a folder of them, in order of their names."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _exchange(source: Path, target: Path) -> None:
    """Swap two folders in one step, so that no reader ever finds the target missing."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        paths = os.fsencode(source), os.fsencode(target)
        if renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))
    # File systems without exchange (NFS, some overlays): two renames, with a moment in between. Who is killed
    # there leaves the old folder beside the target, where the next try finds it.
    replaced = private_path(target)
    os.rename(target, replaced)
    try:
        os.rename(source, target)
    except OSError:
        with suppress(OSError):
            os.rename(replaced, target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _put_back(target: Path) -> None:
    """Bring back the folder that a killed process had put aside, or remove it if the new one came."""
    for replaced in leftover_paths(target):
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.is_dir():
            os.rename(replaced, target)


def _sync(path: Path) -> None:
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
