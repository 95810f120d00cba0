"""What this stage asks of DuckDB beyond Ibis: rows in order by batches, and damage told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis.expr.types as ir
import pyarrow as pa

from sodai.errors import InputError

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


BATCH_ROWS = 500_000


def ordered_batches(engine: "Backend", table: ir.Table, n_rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
    """The rows of a table in its order, `n_rows` at a time.

    Args:
        table: made of files only; what stands in memory is not known to DuckDB outside of Ibis.
    """
    # Ibis 12 asks DuckDB for batches by a name that DuckDB 2.0 has dropped.
    return engine.con.sql(engine.compile(table)).to_arrow_reader(n_rows)


@contextmanager
def explained_read(path: Path) -> Iterator[None]:
    """Turn damage inside a raw file, which only reading it whole can find, into a one-line error.

    Raises:
        InputError: the file is damaged.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        # Damage shows as many kinds of error, down to the plain one.
        if "No space left" in str(error):
            raise
        raise InputError(
            f"{path}: damaged ({str(error).splitlines()[0]}), expected a whole parquet file; send it again"
        ) from None
