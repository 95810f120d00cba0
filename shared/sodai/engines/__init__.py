"""Where Ibis definitions are computed: DuckDB in the stage's own process, or a Spark cluster."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table


class EngineName(StrEnum):
    """The engines that a stage may be told to use."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Engine(Protocol):
    """Tables that stay where they are computed, under a name or in files, and rows that come back.

    A query is the text that `compile` gives: it names tables, and means what stands under their names
    when it is asked.
    """

    @property
    def distributed(self) -> bool:
        """Whether many machines share the work, so that no query needs to be cut for the memory of one."""
        ...

    @property
    def version(self) -> str:
        """Name and version of what computes."""
        ...

    def compile(self, rows: "Table") -> str:
        """The query of an expression."""
        ...

    def read(self, files: Sequence[Path]) -> "Table":
        """The rows of parquet files of the volume."""
        ...

    def outline(self, name: str, query: str) -> "Table":
        """The columns of a query under a name, without rows, in place of what had that name."""
        ...

    def put(self, name: str, query: str) -> "Table":
        """The rows of a query, computed now, under a name and in place of what had that name."""
        ...

    def lay_down(self, name: str, rows: "Table") -> "Table":
        """The rows computed now and read from a file from then on, for what may be larger than memory."""
        ...

    def rows(self, query: str) -> "pa.Table":
        """The rows of a query, few enough for the memory of this process."""
        ...

    def batches(self, query: str) -> "Iterator[pa.RecordBatch]":
        """The rows of a query in its order, however many they are; at least one batch, which may be empty."""
        ...
