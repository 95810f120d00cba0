"""Ibis on a Spark cluster, through its Spark Connect server and by files on the shared volume."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr.types import Table
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import col, expr
from pyspark.sql.types import LongType

from sodai.engines import damage_error
from sodai.engines.session import spark_session

if TYPE_CHECKING:
    from ibis.backends.pyspark import Backend

# What results depend on, whatever a cluster has set for others.
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    # Spark has no nanoseconds: they come as whole numbers, or not at all.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
}


class SparkEngine:
    """The engine on a cluster whose workers see the volume under the same path as this process.

    Args:
        session: with a Spark Connect server.
        folder: on the volume, for all that is computed.
    """

    distributed = True

    def __init__(self, session: SparkSession, folder: Path) -> None:
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        self._session = session
        self._backend: Backend = ibis.pyspark.connect(session)
        self._folder = folder
        self._held: dict[str, Path] = {}
        self._n_files = 0
        self.version = f"spark {session.version}"

    def compile(self, rows: Table) -> str:
        """The query of an expression."""
        return self._backend.compile(rows)

    def read_parquet(self, files: Sequence[Path]) -> Table:
        """The rows of parquet files."""
        return self._named_anew(self._session.read.parquet(*map(_pattern, files)))

    def read_raw(self, file: Path, columns: Sequence[str]) -> Table:
        """Some columns of a parquet file of any origin, and `row_number`."""
        rows = self._session.read.parquet(_pattern(file))
        is_number = {column.name: column.dataType == LongType() for column in rows.schema}
        is_time = {field.name: pa.types.is_timestamp(field.type) for field in pq.read_schema(file)}
        chosen = [_moment(name) if is_time[name] and is_number[name] else col(name) for name in columns]
        return self._named_anew(rows.select(*chosen, col("_metadata.row_index").alias("row_number")))

    @contextmanager
    def explain_raw_errors(self, file: Path) -> Iterator[None]:
        """Tell damage inside a raw file in one line, see `Engine.explain_raw_errors`."""
        try:
            yield
        except PySparkException as error:
            if not re.search("FAILED_READ_FILE|CANNOT_READ_FILE|PARQUET", str(error)):
                raise
            raise damage_error(file, str(error)) from None

    def to_parquet(self, rows: Table, place: Path) -> None:
        """The rows computed now, as a folder of parquet files."""
        self._session.sql(self.compile(rows)).write.parquet(_url(place))

    def empty_like(self, name: str, query: str) -> Table:
        """The columns of a query under a name, without rows."""
        return self._named(name, self._session.sql(query).limit(0))

    def create_table(self, name: str, query: str) -> None:
        """Let the rows of a query stand under a name, in place of what had that name.

        Files rather than Spark's own cache: they outlive a worker and tell the optimizer how much they hold.
        """
        before = self._held.get(name)
        self._held[name] = folder = self._folder_of_new()
        rows = self._session.sql(query)
        rows.write.parquet(_url(folder))
        # With the schema given, Spark starts no job to find it.
        self._session.read.schema(rows.schema).parquet(_pattern(folder)).createOrReplaceTempView(name)
        if before is not None:
            shutil.rmtree(before)

    def table(self, name: str) -> Table:
        """What stands under a name."""
        return self._backend.table(name)

    def checkpoint(self, name: str, rows: Table) -> Table:
        """The rows computed now and read from files from then on."""
        self.create_table(name, self.compile(rows))
        return self.table(name)

    def to_pyarrow(self, query: str) -> pa.Table:
        """The rows of a query."""
        return self._session.sql(query).toArrow()

    def to_pyarrow_batches(self, query: str, n_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of a query in its order, from files that the workers write."""
        folder = self._folder_of_new()
        self._session.sql(query).write.parquet(_url(folder))
        # Spark numbers the parts of an ordered result in their order.
        for part in sorted(folder.glob("part-*.parquet")):
            yield from pq.ParquetFile(part).iter_batches(n_rows)
        shutil.rmtree(folder)

    def _named_anew(self, rows: DataFrame) -> Table:
        self._n_files += 1
        return self._named(f"files_{self._n_files}", rows)

    def _named(self, name: str, rows: DataFrame) -> Table:
        rows.createOrReplaceTempView(name)
        return self.table(name)

    def _folder_of_new(self) -> Path:
        self._n_files += 1
        return self._folder / str(self._n_files)


@contextmanager
def open_spark(remote: str, scratch: Path, volume_root: Path) -> Iterator[SparkEngine]:
    """The engine for the time of the block, see `EngineChoice.open`."""
    with spark_session(remote, volume_root) as session:
        yield SparkEngine(session, scratch)


def _moment(name: str) -> Column:
    """The moments that a column of nanoseconds stands for, without what is less than a microsecond."""
    microseconds = f"(`{name}` - pmod(`{name}`, 1000)) div 1000"
    return expr(f"timestamp_micros({microseconds})").cast("timestamp_ntz").alias(name)


def _pattern(path: Path) -> str:
    """What Spark reads of all paths as this one alone."""
    return re.sub(r"[\\{}\[\]*?]", r"\\\g<0>", _url(path))


def _url(path: Path) -> str:
    # Without a scheme a path would lie wherever the cluster looks first; what as_uri encodes, Spark keeps.
    return f"file://{path}"
