"""The purchases in the warehouse, as far as the ledger names their partition files."""

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
    """Return the partition files with purchases from `since` to `before`, by Monday, in order.

    The files of the weeks of `since` and `before` may hold other purchases too: filter on `purchase_date`.

    Args:
        volume: with a warehouse.
        before: exclusive.
        since: inclusive.

    Raises:
        VolumeError: there are no purchases before `before`, or a named file is missing or not parquet.
        ContractError: a partition breaks the contract of TRANSACTIONS.
    """
    named = partitions_before(volume.read_json(LEDGER), before)
    files = {monday: volume.path(TRANSACTIONS) / name for monday, name in named.items()}
    if not files:
        raise VolumeError(
            f"{volume.path(LEDGER)}: no purchases before {before}, expected some weeks of history; "
            "add transaction files to raw/ or give a later --as-of"
        )
    files = {monday: file for monday, file in files.items() if (since - monday).days < DAYS_PER_WEEK}
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
    """Read the purchases dated from `since` to `before`, ordered by week.

    Args:
        volume: with a warehouse.
        before: exclusive.
        since: inclusive.
        customers: customer_id of the customers to read; all if None.
        columns: of TRANSACTIONS; all if None.

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
    """Return the customers with at least one purchase before `before` (exclusive), in order.

    Raises:
        VolumeError: see `transaction_partitions`.
    """
    wanted = pc.field("purchase_date") < pa.scalar(before)
    customers = [
        _read(file, wanted, ["customer_id"])["customer_id"].unique()
        for file in transaction_partitions(volume, before).values()
    ]
    return np.sort(pa.chunked_array(customers, pa.int64()).unique().to_numpy())


def _read(file: Path, wanted: pc.Expression, columns: list[str] | None = None) -> pa.Table:
    with explain_read_errors(file, LEDGER.remedy):
        return pq.read_table(file, columns=columns, partitioning=None, filters=wanted)


def _empty(columns: list[str] | None) -> pa.Table:
    table = TRANSACTIONS.contract.schema.empty_table()
    return table if columns is None else table.select(columns)
