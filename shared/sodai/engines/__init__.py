"""The engines that compute Ibis expressions: DuckDB in the stage's own process, or a Spark cluster."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sodai.errors import InputError

# For type checkers alone: `--help` reads the names of the engines from this module.
if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table


def damage_error(file: Path, message: str) -> InputError:
    """Return the error for a damaged raw file, with the first line of an engine's message."""
    return InputError(
        f"{file}: damaged ({message.splitlines()[0]}), expected a whole parquet file; send it again"
    )


def is_full(message: str) -> bool:
    """Return whether an engine's error says that a disk, or this user's quota of it, is full."""
    return re.search("no space left|quota exceeded", message, re.IGNORECASE) is not None


class EngineName(StrEnum):
    """The engines of the option `--engine`."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Engine(Protocol):
    """Named tables and files that stay where they are computed, and rows that come back as Arrow tables.

    Methods have the names of Ibis's own. A query is the text of `compile`; it refers to tables by their
    names, and to the rows that they have when the query runs.
    """

    @property
    def distributed(self) -> bool:
        """Return whether many machines share the work: then no query has to fit one machine's memory."""
        ...

    @property
    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def compile(self, rows: "Table") -> str:
        """Return the query of an expression."""
        ...

    def read_parquet(self, files: Sequence[Path]) -> "Table":
        """Return the rows of parquet files of the volume, which have the same columns."""
        ...

    def read_raw(self, file: Path, columns: Sequence[str]) -> "Table":
        """Return columns of a parquet file of any origin, and `row_number`, the position in it from 0."""
        ...

    def explain_raw_errors(self, file: Path) -> AbstractContextManager[None]:
        """Turn an error from damage inside a raw file, while the block computes with it, into one line.

        Raises:
            InputError: the file is damaged; only reading all of it can show that.
        """
        ...

    def to_parquet(self, rows: "Table", path: Path) -> None:
        """Compute rows and write them as parquet to a new path of the volume, for `read_parquet`."""
        ...

    def empty_like(self, name: str, query: str) -> "Table":
        """Create or replace a table with the columns of a query and without rows."""
        ...

    def create_table(self, name: str, query: str) -> None:
        """Create or replace a table with the rows of a query, computed now."""
        ...

    def table(self, name: str) -> "Table":
        """Return the table of that name, with the columns that it has now."""
        ...

    def checkpoint(self, name: str, rows: "Table") -> "Table":
        """Compute rows that may be larger than memory now, and return them as read from a file."""
        ...

    def to_pyarrow(self, query: str) -> "pa.Table":
        """Return the rows of a query, which must fit the memory of this process."""
        ...

    def to_pyarrow_batches(self, query: str, n_rows: int) -> "Iterator[pa.RecordBatch]":
        """Yield the rows of a query in its order, about `n_rows` at a time.

        The engine must not be used for anything else before the last batch.
        """
        ...
