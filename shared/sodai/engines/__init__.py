"""Where Ibis definitions are computed: DuckDB in the stage's own process, or a Spark cluster."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sodai.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table


def damage_error(file: Path, found: str) -> InputError:
    """What tells that a raw file is damaged; `found` may have lines, of which the first is told."""
    return InputError(
        f"{file}: damaged ({found.splitlines()[0]}), expected a whole parquet file; send it again"
    )


def is_full(message: str) -> bool:
    """Whether an engine's error says that a disk is full, or the part of it that this user may fill."""
    return re.search("no space left|quota exceeded", message, re.IGNORECASE) is not None


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

    def read_parquet(self, files: Sequence[Path]) -> "Table":
        """The rows of parquet files of the volume, all of the same columns."""
        ...

    def read_raw(self, file: Path, columns: Sequence[str]) -> "Table":
        """Some columns of a parquet file of any origin, and `row_number`, the position in it (0 = first)."""
        ...

    def explain_raw_errors(self, file: Path) -> AbstractContextManager[None]:
        """What computes with a raw file stands in this block, which tells damage inside it in one line.

        Raises:
            InputError: the file is damaged, which only reading it whole can find.
        """
        ...

    def to_parquet(self, rows: "Table", place: Path) -> None:
        """The rows computed now, as parquet at a new place of the volume, which `read` takes."""
        ...

    def empty_like(self, name: str, query: str) -> "Table":
        """The columns of a query under a name, without rows, in place of what had that name."""
        ...

    def create_table(self, name: str, query: str) -> None:
        """Compute the rows of a query now and let them stand under a name, in place of what had that name."""
        ...

    def table(self, name: str) -> "Table":
        """What stands under a name, with the columns that it has now."""
        ...

    def checkpoint(self, name: str, rows: "Table") -> "Table":
        """The rows computed now and read from a file from then on, for what may be larger than memory."""
        ...

    def to_pyarrow(self, query: str) -> "pa.Table":
        """The rows of a query, few enough for the memory of this process."""
        ...

    def to_pyarrow_batches(self, query: str, n_rows: int) -> "Iterator[pa.RecordBatch]":
        """The rows of a query in its order, about `n_rows` at a time.

        Nothing else is asked of the engine before the last of them.
        """
        ...
