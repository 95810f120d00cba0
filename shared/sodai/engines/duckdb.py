"""Ibis on DuckDB within the memory that a stage may use, spilling to the volume."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis
import pyarrow as pa
from ibis.expr.types import Table

from sodai.errors import InputError, VolumeError
from sodai.resources import available_cpus

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def connect(memory_mib: int, spill: Path) -> "Backend":
    """A DuckDB in memory that holds at most `memory_mib` and spills what is more into `spill`."""
    return ibis.duckdb.connect(
        threads=available_cpus(),
        memory_limit=f"{memory_mib}MiB",
        temp_directory=str(spill),
        # Order costs memory; whatever needs an order asks for it.
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
    )


class DuckDBEngine:
    """The engine in this process.

    Args:
        backend: what `connect` gives.
        folder: for what is laid down.
    """

    distributed = False

    def __init__(self, backend: "Backend", folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self.version = f"duckdb {duckdb.__version__}"

    def compile(self, rows: Table) -> str:
        """The query of an expression."""
        return self._backend.compile(rows)

    def read(self, files: Sequence[Path]) -> Table:
        """The rows of parquet files."""
        return self._backend.read_parquet([str(file) for file in files], hive_partitioning=False)

    def outline(self, name: str, query: str) -> Table:
        """The columns of a query under a name, without rows."""
        return self.put(name, f"SELECT * FROM ({query}) LIMIT 0")

    def put(self, name: str, query: str) -> Table:
        """The rows of a query under a name, in place of what had that name."""
        # Ibis 12 writes a DROP that DuckDB 2.0 cannot read: its own ways to replace a table are out.
        self._backend.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')
        return self._backend.table(name, database="temp.main")

    def lay_down(self, name: str, rows: Table) -> Table:
        """The rows computed now and read from a file from then on.

        A tenth of what a table in memory takes, of which DuckDB reads the parts that a filter leaves.
        """
        file = self._folder / f"{name}.parquet"
        self._backend.to_parquet(rows, file)
        return self.read([file])

    def rows(self, query: str) -> pa.Table:
        """The rows of a query."""
        return self._backend.con.sql(query).to_arrow_table()

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query in its order, in one batch."""
        rows = self.rows(query).combine_chunks()
        yield next(iter(rows.to_batches()), pa.RecordBatch.from_pylist([], rows.schema))


@contextmanager
def opened_duckdb(memory_mib: int, scratch: Path, volume_root: Path) -> Iterator[DuckDBEngine]:
    """A DuckDB for the time of the block, see `EngineChoice.opened`."""
    with explained_engine(memory_mib, volume_root):
        backend = connect(memory_mib, scratch / "spill")
        try:
            yield DuckDBEngine(backend, scratch)
        finally:
            backend.disconnect()


@contextmanager
def explained_engine(memory_mib: int, volume_root: Path) -> Iterator[None]:
    """Turn the two limits that a machine sets, memory and disk, into one-line errors.

    Raises:
        VolumeError: the volume is full.
        InputError: the memory limit is too small for the input.
    """
    try:
        yield
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        if re.search("No space left|Quota exceeded|max_temp_directory_size", str(error)):
            raise VolumeError(f"{volume_root}: is full ({message}); give it space and run again") from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise InputError(
                f"--memory-limit: {memory_mib} MiB are too few ({message}); give the stage more memory"
            ) from None
        raise
