"""Ibis on DuckDB within the memory that the stage may use, spilling to the volume."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from sodai.errors import InputError, VolumeError
from sodai.resources import available_cpus

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


BATCH_ROWS = 500_000


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


def ordered_batches(engine: "Backend", table: ir.Table, n_rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
    """The rows of a table in its order, `n_rows` at a time.

    Args:
        table: made of files only; what stands in memory is not known to DuckDB outside of Ibis.
    """
    # Ibis 12 asks DuckDB for batches by a name that DuckDB 2.0 has dropped.
    return engine.con.sql(engine.compile(table)).to_arrow_reader(n_rows)


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
