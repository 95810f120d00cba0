"""Reading the warehouse: the ledger says which partition files are in force, nothing else counts."""

from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sodai.data.catalog import LEDGER, TRANSACTIONS
from sodai.data.periods import DAYS_PER_WEEK
from sodai.errors import VolumeError
from sodai.volume.ledger import partitions_before
from sodai.volume.volume import Volume, explain_read_errors


def transaction_partitions(volume: Volume, before: date, since: date = date.min) -> dict[date, Path]:
    """The partition files that may hold purchases dated from `since` to `before` (exclusive), by Monday.

    They come in order. A partition file's name is made of its content. The files of the weeks of `since`
    and `before` may hold other purchases too: filter on `purchase_date`.

    Raises:
        VolumeError: no purchase lies before `before`, or a named file is missing or not parquet.
        ContractError: a partition breaks the contract of TRANSACTIONS.
    """
    named = partitions_before(volume.read_json(LEDGER), before)
    files = {week: volume.path(TRANSACTIONS) / name for week, name in named.items()}
    if not files:
        raise VolumeError(
            f"{volume.path(LEDGER)}: no purchases before {before}, expected some weeks of history; "
            "add transaction files to raw/ or give a later --as-of"
        )
    files = {week: file for week, file in files.items() if (since - week).days < DAYS_PER_WEEK}
    for file in files.values():
        if not file.exists():
            raise VolumeError(f"{file}: missing but named by the ledger; run {LEDGER.remedy}")
        with explain_read_errors(file, LEDGER.remedy):
            schema = pq.read_schema(file).remove_metadata()
        TRANSACTIONS.contract.check_schema(schema, str(file))
    return files


def read_transactions(
    volume: Volume,
    before: date,
    since: date = date.min,
    customers: pa.Array | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """The purchases dated from `since` (inclusive) to `before` (exclusive).

    Args:
        volume: with a warehouse.
        before: exclusive.
        since: inclusive.
        customers: customer_id of those whose purchases are wanted; all if None.
        columns: of TRANSACTIONS; all if None.

    Returns a table ordered by week and as stored within it.

    Raises:
        VolumeError: see `transaction_partitions`.
    """
    dates = pc.field("purchase_date")
    wanted = (dates >= pa.scalar(since)) & (dates < pa.scalar(before))
    if customers is not None:
        wanted = wanted & pc.field("customer_id").isin(customers)
    files = transaction_partitions(volume, before, since).values()
    return pa.concat_tables([_empty(columns), *(_read(file, wanted, columns) for file in files)])


def customers_with_history(volume: Volume, before: date) -> npt.NDArray[np.int64]:
    """The customers with at least one purchase dated before `before` (exclusive), in order.

    Raises:
        VolumeError: see `transaction_partitions`.
    """
    wanted = pc.field("purchase_date") < pa.scalar(before)
    found = [
        _read(file, wanted, ["customer_id"])["customer_id"].unique()
        for file in transaction_partitions(volume, before).values()
    ]
    return np.sort(pa.chunked_array(found, pa.int64()).unique().to_numpy())


def _read(file: Path, wanted: pc.Expression, columns: list[str] | None = None) -> pa.Table:
    with explain_read_errors(file, LEDGER.remedy):
        return pq.read_table(file, columns=columns, partitioning=None, filters=wanted)


def _empty(columns: list[str] | None) -> pa.Table:
    table = TRANSACTIONS.contract.schema.empty_table()
    return table if columns is None else table.select(columns)
