"""Ibis on a Spark cluster, through its Spark Connect server and files on the shared volume."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.pyspark import Backend
from ibis.expr.types import Table
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import col, expr
from pyspark.sql.types import LongType

from sodai.engines import damage_error
from sodai.engines.session import spark_session

# Settings that change results; a cluster may have others.
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    # Spark has no nanoseconds and refuses such columns, unless it may read them as integers.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
}


class SparkEngine:
    """The engine on a cluster whose workers see the volume under the same path, see `Engine`.

    Args:
        session: with a Spark Connect server.
        folder: on the volume, for all results.
    """

    distributed = True

    def __init__(self, session: SparkSession, folder: Path) -> None:
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        self._session = session
        self._backend: Backend = ibis.pyspark.connect(session)
        self._folder = folder
        self._tables: dict[str, Path] = {}
        self._n_files = 0
        self.version = f"spark {session.version}"

    def compile(self, rows: Table) -> str:
        """Return the query of an expression."""
        return self._backend.compile(rows)

    def read_parquet(self, files: Sequence[Path]) -> Table:
        """Return the rows of parquet files."""
        return self._create_view(self._session.read.parquet(*map(_pattern, files)))

    def read_raw(self, file: Path, columns: Sequence[str]) -> Table:
        """Return columns of a parquet file of any origin, and `row_number`."""
        rows = self._session.read.parquet(_pattern(file))
        is_integer = {column.name: column.dataType == LongType() for column in rows.schema}
        is_time = {field.name: pa.types.is_timestamp(field.type) for field in pq.read_schema(file)}
        selected = [_timestamp(name) if is_time[name] and is_integer[name] else col(name) for name in columns]
        return self._create_view(rows.select(*selected, col("_metadata.row_index").alias("row_number")))

    @contextmanager
    def explain_raw_errors(self, file: Path) -> Iterator[None]:
        """Turn an error from damage inside a raw file into one line."""
        try:
            yield
        except PySparkException as error:
            if not re.search("FAILED_READ_FILE|CANNOT_READ_FILE|PARQUET", str(error)):
                raise
            raise damage_error(file, str(error)) from None

    def to_parquet(self, rows: Table, path: Path) -> None:
        """Compute rows and write them as a folder of parquet files."""
        self._session.sql(self.compile(rows)).write.parquet(_url(path))

    def empty_like(self, name: str, query: str) -> Table:
        """Create or replace a view with the columns of a query and without rows."""
        return self._replace_view(name, self._session.sql(query).limit(0))

    def create_table(self, name: str, query: str) -> None:
        """Create or replace a table with the rows of a query."""
        # Files rather than Spark's own cache: they outlive a worker, and the optimizer knows their size.
        before = self._tables.get(name)
        self._tables[name] = folder = self._new_folder()
        rows = self._session.sql(query)
        rows.write.parquet(_url(folder))
        # With the schema given, Spark starts no job to find it.
        self._session.read.schema(rows.schema).parquet(_pattern(folder)).createOrReplaceTempView(name)
        if before is not None:
            shutil.rmtree(before)

    def table(self, name: str) -> Table:
        """Return the table of that name."""
        return self._backend.table(name)

    def checkpoint(self, name: str, rows: Table) -> Table:
        """Compute rows now, and return them as read from files."""
        self.create_table(name, self.compile(rows))
        return self.table(name)

    def to_pyarrow(self, query: str) -> pa.Table:
        """Return the rows of a query."""
        return self._session.sql(query).toArrow()

    def to_pyarrow_batches(self, query: str, n_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in its order, from files that the workers write."""
        folder = self._new_folder()
        self._session.sql(query).write.parquet(_url(folder))
        # Spark numbers the files of an ordered result in their order.
        for file in sorted(folder.glob("part-*.parquet")):
            yield from pq.ParquetFile(file).iter_batches(n_rows)
        shutil.rmtree(folder)

    def _create_view(self, rows: DataFrame) -> Table:
        self._n_files += 1
        return self._replace_view(f"files_{self._n_files}", rows)

    def _replace_view(self, name: str, rows: DataFrame) -> Table:
        rows.createOrReplaceTempView(name)
        return self.table(name)

    def _new_folder(self) -> Path:
        self._n_files += 1
        return self._folder / str(self._n_files)


@contextmanager
def open_spark(remote: str, scratch: Path, volume_root: Path) -> Iterator[SparkEngine]:
    """Open Spark until the block ends, see `open_engine`."""
    with spark_session(remote, volume_root) as session:
        yield SparkEngine(session, scratch)


def _timestamp(name: str) -> Column:
    """Return an integer column of nanoseconds as timestamps, rounded down to microseconds."""
    microseconds = f"(`{name}` - pmod(`{name}`, 1000)) div 1000"
    return expr(f"timestamp_micros({microseconds})").cast("timestamp_ntz").alias(name)


def _pattern(path: Path) -> str:
    """Return a pattern that matches this path only: Spark reads paths as patterns."""
    return re.sub(r"[\\{}\[\]*?]", r"\\\g<0>", _url(path))


def _url(path: Path) -> str:
    # Without a scheme the cluster would use its default file system; Spark does not decode as_uri's output.
    return f"file://{path}"
