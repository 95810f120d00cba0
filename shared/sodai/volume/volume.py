"""The shared volume: one checked way to read a data set, and one atomic way to write a stage's outputs."""

import json
import math
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sodai.data.catalog import Dataset
from sodai.errors import VolumeError, first_line
from sodai.volume.atomic_files import explain_write_errors
from sodai.volume.attempt import Attempt
from sodai.volume.locks import exclusive_lock

_ATTEMPTS = ".attempts"
# A killed attempt may take a moment to die, while the next one begins.
_PATIENCE_SECONDS = 10.0


class UndeclaredInputError(Exception):
    """A stage uses a data set that it does not declare: a bug, since its fingerprint would miss a change."""

    def __init__(self, name: str, as_of: date | None) -> None:
        super().__init__(
            f"{name} of {as_of or 'the volume'} is not declared; add it to Inputs in the stage's cli.py"
        )


class Volume:
    """The root folder that all stages share, and the only place that builds its paths."""

    def __init__(self, root: Path, permits: Callable[[Dataset, date | None], bool] | None = None) -> None:
        """Name the folder, which may be missing until something is written.

        Args:
            root: folder of the volume.
            permits: whether a data set of a period may be used; every one if None.

        Raises:
            VolumeError: `root` is a file.
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
        """Return whether `dataset` was written for that period."""
        return self.path(dataset, as_of).exists()

    def read(
        self,
        dataset: Dataset,
        as_of: date | None = None,
        columns: list[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Read a table of the volume and check it against its contract.

        Args:
            dataset: a tabular data set.
            as_of: first day of the period, for data sets written per period.
            columns: the columns to read; all, checked in full, if None. With columns only the
                schema is checked, for tables that are larger than what the caller needs.
            where: the rows to read; all if None.

        Raises:
            VolumeError: the table is missing or is not parquet.
            ContractError: it breaks its contract.
        """
        path = self.existing(dataset, as_of)
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        with explain_read_errors(path, dataset.remedy):
            if columns is not None:
                for file in files:
                    dataset.contract.check_schema(pq.read_schema(file).remove_metadata(), str(file))
            table = pa.concat_tables(
                [pq.read_table(file, columns=columns, partitioning=None, filters=where) for file in files]
            )
        if columns is None:
            table = dataset.contract.rename_former(table)
            dataset.contract.check(table, str(path))
        return table

    def read_json(self, dataset: Dataset, as_of: date | None = None) -> dict[str, Any]:
        """Read a JSON record of the volume.

        Raises:
            VolumeError: the record is missing or is not JSON.
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
        """Return the path of a data set that must exist.

        Raises:
            VolumeError: it was not written for that period.
        """
        path = self.path(dataset, as_of)
        if not path.exists():
            raise VolumeError(
                f"{path}: {dataset.name} is missing; run {dataset.producer} for this period first"
            )
        return path

    @contextmanager
    def attempt(self, stage: str, as_of: date | None = None) -> Iterator[Attempt]:
        """Yield a private area for one attempt of a stage; commit its outputs at the end of the block.

        An error in the block, or the end of the process, leaves the earlier outputs in place, complete. There
        is one attempt of a stage and period at a time; what killed ones left is removed first.

        Raises:
            VolumeError: the volume is read-only or full, or another attempt is running.
        """
        name = f"{stage}-{as_of}"
        area = self.root / _ATTEMPTS / name
        private = area / uuid.uuid4().hex
        busy = f"{self.root}: another run of {stage} for {as_of} is under way"
        with self.lock(name, busy, _PATIENCE_SECONDS) as held:
            if held:
                shutil.rmtree(area, ignore_errors=True)
            private.mkdir(parents=True)
            try:
                attempt = Attempt(self.root, private, as_of)
                yield attempt
                attempt.commit()
            finally:
                shutil.rmtree(private, ignore_errors=True)
                with suppress(OSError):  # without a lock another attempt may still use the area
                    area.rmdir()

    @contextmanager
    def lock(self, name: str, busy: str, patience: float = math.inf) -> Iterator[bool]:
        """Hold the lock `name` for the block, see `sodai.volume.locks.exclusive_lock`.

        Raises:
            VolumeError: the volume is read-only or full, or another process held the lock for too long.
        """
        attempts = self.root / _ATTEMPTS
        with explain_write_errors(self.root):
            attempts.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(attempts / f"{name}.lock", busy, patience) as held:
                yield held


@contextmanager
def explain_read_errors(file: Path, remedy: str) -> Iterator[None]:
    """Turn the errors of a damaged parquet file into one line.

    Args:
        file: what the block reads.
        remedy: what rebuilds the file, after the word `run`.

    Raises:
        VolumeError: with the path and Arrow's reason.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        # Arrow raises OSError for a damaged page too; only errors of the system carry a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise VolumeError(f"{file}: not readable as parquet ({first_line(error)}); run {remedy}") from None
