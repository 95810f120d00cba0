"""Tables in key order: read and written in pieces that hold whole customers, all of them or one shard."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.data.contracts import Contract
from sodai.data.customer_groups import starts_of
from sodai.data.shard import Shard
from sodai.errors import ContractError
from sodai.volume.volume import explain_read_errors


def shard_rows(shard: Shard, file: Path, run: str) -> range:
    """Return the rows of one shard in a parquet file that is ordered by customer_id.

    The shards of a file have about as many rows each; together they hold every row once, and all
    rows of a customer are in one of them. A shard is empty where there are fewer customers than shards.

    Args:
        shard: the part.
        file: the table that is split.
        run: the stage that writes it.

    Raises:
        VolumeError: it is not readable as parquet.
    """
    with explain_read_errors(file, f"{run} again"):
        parquet = pq.ParquetFile(file)
        n_rows = parquet.metadata.num_rows
        start, stop = (n_rows * number // shard.count for number in (shard.number, shard.number + 1))
        return range(_next_customer(parquet, start), _next_customer(parquet, stop))


def read_sorted(
    files: Iterable[Path], contract: Contract, run: str, rows: range | None = None
) -> Iterator[pa.Table]:
    """The rows of parquet files, one after the other, in small pieces that are checked against a contract.

    Args:
        files: parquet files, together in the order of the key.
        contract: of each of them.
        run: the stage that makes them anew.
        rows: only these, of a single file; its other row groups are not read.

    Raises:
        VolumeError: a file is not readable as parquet.
        ContractError: a piece breaks the contract, or a key does not come after the one before.
    """
    last: pa.Table | None = None
    for file in files:
        for piece in iter_row_groups(file, run, rows):
            contract.check_values(piece, str(file))
            together = piece if last is None else pa.concat_tables([last, piece.select(contract.key)])
            _check_order(together, contract.key, file, run)
            last = piece.select(contract.key).slice(piece.num_rows - 1)
            yield piece


def iter_row_groups(
    file: Path, run: str, rows: range | None = None, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """The row groups of a parquet file, one after the other, nothing checked.

    Args:
        file: parquet.
        run: the stage that makes it anew.
        rows: only these; row groups without any are not read.
        columns: only these.

    Raises:
        VolumeError: it is not readable as parquet.
    """
    with explain_read_errors(file, f"{run} again"):
        parquet = pq.ParquetFile(file)
    begin = 0
    for group in range(parquet.num_row_groups):
        end = begin + parquet.metadata.row_group(group).num_rows
        wanted = range(begin, end) if rows is None else range(max(rows.start, begin), min(rows.stop, end))
        if wanted:
            with explain_read_errors(file, f"{run} again"):
                table = parquet.read_row_group(group, columns=columns)
            yield table.slice(wanted.start - begin, len(wanted))
        begin = end


def iter_whole_customers(pieces: Iterable[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of whole customers: as many as `n_rows` hold, one where it has more.

    Where a table ends depends on the rows alone, never on how they came in.

    Args:
        pieces: rows ordered by customer_id.
        n_rows: of a table, at most unless one customer has more.
    """
    held: list[pa.Table] = []
    n_held = 0
    for piece in pieces:
        held.append(piece)
        n_held += piece.num_rows
        while n_held > n_rows:
            rows = pa.concat_tables(held)
            end = _end_of_customers(rows["customer_id"].to_numpy(), n_rows)
            if end is None:
                break
            yield rows.slice(0, end)
            held, n_held = [rows.slice(end)], n_held - end
    if n_held:
        yield pa.concat_tables(held)


@contextmanager
def sorted_writer(file: Path, contract: Contract) -> Iterator[Callable[[pa.Table], None]]:
    """A function that adds rows to a table, for tables whose rows come in the order of their key.

    Args:
        file: a private path, of an attempt.
        contract: of the rows; its key is not looked at.

    Raises:
        ContractError: rows break the contract.
    """
    # A dictionary of numbers that hardly repeat costs time and is thrown away.
    repeating = [column.name for column in contract.columns if not pa.types.is_floating(column.arrow_type)]
    with pq.ParquetWriter(file, contract.schema, compression="zstd", use_dictionary=repeating) as writer:

        def add(rows: pa.Table) -> None:
            contract.check_values(rows, file.name)
            writer.write_table(rows)

        yield add


def _end_of_customers(customer_id: npt.NDArray[np.int64], n_rows: int) -> int | None:
    """Where the last customer ends that is over within `n_rows`, or the first that is over at all."""
    ends = starts_of(customer_id)[1:]
    if not len(ends):
        return None
    return int(ends[max(0, int(np.searchsorted(ends, n_rows, side="right")) - 1)])


def _next_customer(parquet: pq.ParquetFile, row: int) -> int:
    """The first row, `row` or later, that belongs to another customer than the row before it."""
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


def _check_order(rows: pa.Table, key: tuple[str, ...], file: Path, run: str) -> None:
    columns = [rows[name].to_numpy() for name in key]
    after = np.zeros(max(0, len(columns[0]) - 1), dtype=bool)
    equal = ~after
    for column in columns:
        after |= equal & (column[1:] > column[:-1])
        equal &= column[1:] == column[:-1]
    if not after.all():
        row = int(np.argmin(after)) + 1
        found = ", ".join(f"{name} {column[row]}" for name, column in zip(key, columns, strict=True))
        raise ContractError(
            f"{file}: {found} does not come after the row before it, expected every "
            f"({', '.join(key)}) once and in order; run {run} again"
        )
