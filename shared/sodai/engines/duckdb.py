"""Ibis on DuckDB within the memory limit of a stage, spilling to the volume."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table
from ibis.util import gen_name

from sodai.engines import damage_error, is_full
from sodai.errors import InputError, VolumeError
from sodai.runtime.limits import available_cpus

# The errors that DuckDB raises before it reads a row. A ConversionException is not one of them: damage can
# cause it, a timestamp out of range for example.
_WRONG_QUERY = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


def connect(memory_mib: int, spill: Path) -> Backend:
    """Connect to a DuckDB in memory that holds at most `memory_mib` and spills the rest into `spill`."""
    return ibis.duckdb.connect(
        threads=available_cpus(),
        memory_limit=f"{memory_mib}MiB",
        temp_directory=str(spill),
        # Order costs memory; queries that need an order ask for it.
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
    )


class DuckDBEngine:
    """The engine in this process, see `Engine`.

    Args:
        backend: of `connect`.
        folder: for checkpoints.
    """

    distributed = False

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self.version = f"duckdb {duckdb.__version__}"

    def compile(self, rows: Table) -> str:
        """Return the query of an expression."""
        return self._backend.compile(rows)

    def read_parquet(self, files: Sequence[Path]) -> Table:
        """Return the rows of parquet files."""
        return self._backend.read_parquet([escape(str(file)) for file in files], hive_partitioning=False)

    def read_raw(self, file: Path, columns: Sequence[str]) -> Table:
        """Return columns of a parquet file of any origin, and `row_number`."""
        names = pq.read_schema(file).names
        # By position, because a column of the file may have the name of DuckDB's own column of row numbers.
        positions = ", ".join(f"c{position}" for position in range(len(names)))
        selected = ", ".join(f'c{names.index(name)} AS "{name}"' for name in columns)
        pattern = escape(str(file)).replace("'", "''")
        view = gen_name("raw")
        self._backend.raw_sql(
            f'CREATE TEMP VIEW "{view}" AS SELECT {selected}, file_row_number AS row_number '
            f"FROM read_parquet('{pattern}', hive_partitioning = false) AS lines({positions})"
        )
        return self.table(view)

    @contextmanager
    def explain_raw_errors(self, file: Path) -> Iterator[None]:
        """Turn an error from damage inside a raw file into one line."""
        try:
            yield
        except (duckdb.OutOfMemoryException, *_WRONG_QUERY):
            raise
        except duckdb.Error as error:
            # Damage raises many kinds of error, duckdb.Error itself among them.
            if is_full(str(error)):
                raise
            raise damage_error(file, str(error)) from None

    def to_parquet(self, rows: Table, path: Path) -> None:
        """Compute rows and write them as one parquet file."""
        self._backend.to_parquet(rows, path)

    def empty_like(self, name: str, query: str) -> Table:
        """Create or replace a table with the columns of a query and without rows."""
        self.create_table(name, f"SELECT * FROM ({query}) LIMIT 0")
        return self.table(name)

    def create_table(self, name: str, query: str) -> None:
        """Create or replace a table with the rows of a query."""
        # Not by Ibis 12, which replaces a table by a DROP that DuckDB 2.0 cannot parse.
        self._backend.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')

    def table(self, name: str) -> Table:
        """Return the table of that name; finding its columns takes as long as a small query."""
        return self._backend.table(name, database="temp.main")

    def checkpoint(self, name: str, rows: Table) -> Table:
        """Compute rows now, and return them as read from a file."""
        # A file takes a tenth of the space of a table in memory, and DuckDB skips what a filter excludes.
        file = self._folder / f"{name}.parquet"
        self.to_parquet(rows, file)
        return self.read_parquet([file])

    def to_pyarrow(self, query: str) -> pa.Table:
        """Return the rows of a query."""
        return self._backend.con.sql(query).to_arrow_table()

    def to_pyarrow_batches(self, query: str, n_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in its order, about `n_rows` at a time."""
        # Not by Ibis 12, which calls a method that DuckDB 2.0 has removed.
        yield from self._backend.con.sql(query).to_arrow_reader(n_rows)


@contextmanager
def open_duckdb(memory_mib: int, scratch: Path, volume_root: Path) -> Iterator[DuckDBEngine]:
    """Open DuckDB until the block ends, see `open_engine`."""
    with explain_engine_errors(memory_mib, volume_root):
        backend = connect(memory_mib, scratch / "spill")
        try:
            yield DuckDBEngine(backend, scratch)
        finally:
            backend.disconnect()


@contextmanager
def explain_engine_errors(memory_mib: int, volume_root: Path) -> Iterator[None]:
    """Turn errors from the limits of the machine, memory and disk, into one line.

    Raises:
        VolumeError: the volume is full.
        InputError: the memory limit is too small for the input.
    """
    try:
        yield
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        if is_full(str(error)) or "max_temp_directory_size" in str(error):
            raise VolumeError(f"{volume_root}: is full ({message}); give it space and run again") from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise InputError(
                f"--memory-limit: {memory_mib} MiB are too few ({message}); give the stage more memory"
            ) from None
        raise
