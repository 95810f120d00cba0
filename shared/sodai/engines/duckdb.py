"""Ibis on DuckDB within the memory that a stage may use, spilling to the volume."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table
from ibis.util import gen_name

from sodai.engines import damage_error, is_full
from sodai.errors import InputError, VolumeError
from sodai.runtime.limits import available_cpus

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

# What DuckDB says before it has read one row. A conversion that it refuses can be damage: a moment in
# milliseconds that it cannot hold.
_WRONG_QUERY = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


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

    def read_parquet(self, files: Sequence[Path]) -> Table:
        """The rows of parquet files."""
        return self._backend.read_parquet([escape(str(file)) for file in files], hive_partitioning=False)

    def read_raw(self, file: Path, columns: Sequence[str]) -> Table:
        """Some columns of a parquet file of any origin, and `row_number`."""
        names = pq.read_schema(file).names
        # By their places: DuckDB counts rows in a column that one of the file with its name would hide.
        places = ", ".join(f"c{place}" for place in range(len(names)))
        chosen = ", ".join(f'c{names.index(name)} AS "{name}"' for name in columns)
        pattern = escape(str(file)).replace("'", "''")
        view = gen_name("raw")
        self._backend.raw_sql(
            f'CREATE TEMP VIEW "{view}" AS SELECT {chosen}, file_row_number AS row_number '
            f"FROM read_parquet('{pattern}', hive_partitioning = false) AS lines({places})"
        )
        return self.table(view)

    @contextmanager
    def explain_raw_errors(self, file: Path) -> Iterator[None]:
        """Tell damage inside a raw file in one line, see `Engine.explain_raw_errors`."""
        try:
            yield
        except (duckdb.OutOfMemoryException, *_WRONG_QUERY):
            raise
        except duckdb.Error as error:
            # Damage shows as many kinds of error, down to the plain one.
            if is_full(str(error)):
                raise
            raise damage_error(file, str(error)) from None

    def to_parquet(self, rows: Table, place: Path) -> None:
        """The rows computed now, as one parquet file."""
        self._backend.to_parquet(rows, place)

    def empty_like(self, name: str, query: str) -> Table:
        """The columns of a query under a name, without rows."""
        self.create_table(name, f"SELECT * FROM ({query}) LIMIT 0")
        return self.table(name)

    def create_table(self, name: str, query: str) -> None:
        """Let the rows of a query stand under a name, in place of what had that name."""
        # Ibis 12 writes a DROP that DuckDB 2.0 cannot read: its own ways to replace a table are out.
        self._backend.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')

    def table(self, name: str) -> Table:
        """What stands under a name; to ask for its columns takes as long as a small query."""
        return self._backend.table(name, database="temp.main")

    def checkpoint(self, name: str, rows: Table) -> Table:
        """The rows computed now and read from a file from then on.

        A tenth of what a table in memory takes, of which DuckDB reads the parts that a filter leaves.
        """
        file = self._folder / f"{name}.parquet"
        self.to_parquet(rows, file)
        return self.read_parquet([file])

    def to_pyarrow(self, query: str) -> pa.Table:
        """The rows of a query."""
        return self._backend.con.sql(query).to_arrow_table()

    def to_pyarrow_batches(self, query: str, n_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of a query in its order, about `n_rows` at a time."""
        # Ibis 12 asks DuckDB for batches by a name that DuckDB 2.0 has dropped.
        yield from self._backend.con.sql(query).to_arrow_reader(n_rows)


@contextmanager
def open_duckdb(memory_mib: int, scratch: Path, volume_root: Path) -> Iterator[DuckDBEngine]:
    """A DuckDB for the time of the block, see `EngineChoice.open`."""
    with explain_engine_errors(memory_mib, volume_root):
        backend = connect(memory_mib, scratch / "spill")
        try:
            yield DuckDBEngine(backend, scratch)
        finally:
            backend.disconnect()


@contextmanager
def explain_engine_errors(memory_mib: int, volume_root: Path) -> Iterator[None]:
    """Turn the two limits that a machine sets, memory and disk, into one-line errors.

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
