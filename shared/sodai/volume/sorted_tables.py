"""Tables in the order of their key, read and written in batches of whole customers, in full or by shard."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.data.contracts import Contract
from sodai.data.customer_groups import group_starts
from sodai.data.shard import Shard
from sodai.errors import ContractError
from sodai.volume.volume import explain_read_errors


def shard_rows(shard: Shard, file: Path, producer: str) -> range:
    """Return the row numbers of a shard in a parquet file that is ordered by customer_id.

    The shards of a file have about equally many rows. Together they have every row once, and all rows of a
    customer are in the same shard. With fewer customers than shards some shards are empty.

    Args:
        shard: the number of the shard and of all shards.
        file: the table that is split.
        producer: the stage that writes it.

    Raises:
        VolumeError: the file is not readable as parquet.
    """
    with explain_read_errors(file, f"{producer} again"):
        parquet = pq.ParquetFile(file)
        n_rows = parquet.metadata.num_rows
        start, stop = (n_rows * number // shard.count for number in (shard.number, shard.number + 1))
        return range(_next_customer(parquet, start), _next_customer(parquet, stop))


def read_sorted(
    files: Iterable[Path], contract: Contract, producer: str, rows: range | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of parquet files, one row group at a time, checked against a contract.

    Args:
        files: parquet files, together in the order of the key.
        contract: of each of them.
        producer: the stage that writes them.
        rows: numbers of the rows to read, of a single file; row groups without any are not read. All if None.

    Raises:
        VolumeError: a file is not readable as parquet.
        ContractError: rows break the contract, or a key does not come after the one before.
    """
    last_key: pa.Table | None = None
    for file in files:
        for batch in iter_row_groups(file, producer, rows):
            contract.check_values(batch, str(file))
            keys = batch.select(contract.key)
            _check_order(keys if last_key is None else pa.concat_tables([last_key, keys]), file, producer)
            last_key = keys.slice(keys.num_rows - 1)
            yield batch


def iter_row_groups(
    file: Path, producer: str, rows: range | None = None, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the row groups of a parquet file without checking them.

    Args:
        file: parquet.
        producer: the stage that writes it.
        rows: numbers of the rows to read; row groups without any are not read. All if None.
        columns: the columns to read; all if None.

    Raises:
        VolumeError: the file is not readable as parquet.
    """
    with explain_read_errors(file, f"{producer} again"):
        parquet = pq.ParquetFile(file)
    begin = 0
    for group in range(parquet.num_row_groups):
        end = begin + parquet.metadata.row_group(group).num_rows
        wanted = range(begin, end) if rows is None else range(max(rows.start, begin), min(rows.stop, end))
        if wanted:
            with explain_read_errors(file, f"{producer} again"):
                table = parquet.read_row_group(group, columns=columns)
            yield table.slice(wanted.start - begin, len(wanted))
        begin = end


def iter_whole_customers(batches: Iterable[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables that end between two customers.

    Where a table ends depends on the rows alone, not on how they are cut into batches.

    Args:
        batches: rows ordered by customer_id.
        n_rows: most rows of a table, unless a single customer has more.
    """
    pending: list[pa.Table] = []
    n_pending = 0
    for batch in batches:
        pending.append(batch)
        n_pending += batch.num_rows
        while n_pending > n_rows:
            rows = pa.concat_tables(pending)
            end = _end_of_customers(rows["customer_id"].to_numpy(), n_rows)
            if end is None:
                break
            yield rows.slice(0, end)
            pending, n_pending = [rows.slice(end)], n_pending - end
    if n_pending:
        yield pa.concat_tables(pending)


@contextmanager
def sorted_writer(file: Path, contract: Contract) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends rows to a parquet file; the rows come in the order of their key.

    Args:
        file: a private path of an attempt.
        contract: of the rows; their order is not checked.

    Raises:
        ContractError: rows break the contract.
    """
    # A dictionary of numbers that hardly repeat costs time and is discarded.
    repeating = [column.name for column in contract.columns if not pa.types.is_floating(column.arrow_type)]
    with pq.ParquetWriter(file, contract.schema, compression="zstd", use_dictionary=repeating) as writer:

        def append(rows: pa.Table) -> None:
            contract.check_values(rows, file.name)
            writer.write_table(rows)

        yield append


def _end_of_customers(customer_id: npt.NDArray[np.int64], n_rows: int) -> int | None:
    """Return the last end of a customer within `n_rows`, else the first one after; None if none ends."""
    # The last customer may go on in the next batch.
    ends = group_starts(customer_id)[1:]
    if not len(ends):
        return None
    return int(ends[max(0, int(np.searchsorted(ends, n_rows, side="right")) - 1)])


def _next_customer(parquet: pq.ParquetFile, row: int) -> int:
    """Return the first row, from `row` on, that has another customer than the row before it."""
    begin = 0
    before = None
    for group in range(parquet.num_row_groups):
        end = begin + parquet.metadata.row_group(group).num_rows
        if 0 < row <= end:
            customers = parquet.read_row_group(group, columns=["customer_id"])["customer_id"].to_numpy()
            first = max(row - begin, 0)
            before = customers[first - 1] if before is None else before
            others = np.flatnonzero(customers[first:] != before)
            if len(others):
                return begin + first + int(others[0])
        begin = end
    return begin if row else 0


def _check_order(keys: pa.Table, file: Path, producer: str) -> None:
    columns = [column.to_numpy() for column in keys.columns]
    ascending = np.zeros(max(0, keys.num_rows - 1), dtype=bool)
    equal = ~ascending
    for column in columns:
        ascending |= equal & (column[1:] > column[:-1])
        equal &= column[1:] == column[:-1]
    if not ascending.all():
        row = int(np.argmin(ascending)) + 1
        names = keys.column_names
        key = ", ".join(f"{name} {column[row]}" for name, column in zip(names, columns, strict=True))
        raise ContractError(
            f"{file}: {key} does not come after the row before it, expected every "
            f"({', '.join(names)}) once and in order; run {producer} again"
        )
