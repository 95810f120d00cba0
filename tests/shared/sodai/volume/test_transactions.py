"""Transactions: only partitions in the ledger are read, and damage is reported in one line."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import LEDGER, TRANSACTIONS
from sodai.errors import ContractError, VolumeError
from sodai.volume.transactions import customers_with_history, read_transactions, transaction_partitions
from sodai.volume.volume import Volume

FIRST, SECOND, THIRD = date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)
AFTER = date(2024, 1, 22)


def purchases(*rows: tuple[int, date]) -> pa.Table:
    """Return one purchase per customer and date, of product 501, with order ids from 0."""
    return pa.table(
        {
            "customer_id": [customer for customer, _ in rows],
            "product_id": [501] * len(rows),
            "order_id": list(range(len(rows))),
            "purchase_date": pa.array([day for _, day in rows], pa.date32()),
            "n_units": [1.0] * len(rows),
        }
    )


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with three weeks of purchases, and a file that the ledger does not name."""
    volume = Volume(tmp_path)
    folder = volume.path(TRANSACTIONS)
    folder.mkdir(parents=True)
    for name, table in {
        "third.parquet": purchases((3, date(2024, 1, 17))),
        "first.parquet": purchases((1, date(2024, 1, 1)), (2, date(2024, 1, 7))),
        "second.parquet": purchases((2, date(2024, 1, 8)), (4, date(2024, 1, 10))),
        "left_over.parquet": purchases((9, date(2024, 1, 2))),
    }.items():
        pq.write_table(table, folder / name)
    write_ledger(volume, {THIRD: "third.parquet", FIRST: "first.parquet", SECOND: "second.parquet"})
    return volume


def write_ledger(volume: Volume, partitions: dict[date, str]) -> None:
    named = {week.isoformat(): file for week, file in partitions.items()}
    volume.path(LEDGER).write_text(json.dumps({"partitions": {"transactions": named}}))


def names(files: dict[date, Path]) -> list[str]:
    return [file.name for file in files.values()]


def bought(table: pa.Table) -> list[tuple[int, date]]:
    return list(zip(table["customer_id"].to_pylist(), table["purchase_date"].to_pylist(), strict=True))


def test_only_named_partitions_are_returned_oldest_first(volume: Volume) -> None:
    assert names(transaction_partitions(volume, AFTER)) == [
        "first.parquet",
        "second.parquet",
        "third.parquet",
    ]


def test_the_week_from_the_cutoff_is_left_out_and_the_week_around_it_is_not(volume: Volume) -> None:
    assert names(transaction_partitions(volume, SECOND)) == ["first.parquet"]
    assert names(transaction_partitions(volume, date(2024, 1, 9))) == ["first.parquet", "second.parquet"]


def test_purchases_on_the_cutoff_are_not_read(volume: Volume) -> None:
    assert bought(read_transactions(volume, date(2024, 1, 10))) == [
        (1, date(2024, 1, 1)),
        (2, date(2024, 1, 7)),
        (2, date(2024, 1, 8)),
    ]


def test_purchases_on_the_first_day_are_read(volume: Volume) -> None:
    table = read_transactions(volume, AFTER, since=date(2024, 1, 8))
    assert bought(table) == [(2, date(2024, 1, 8)), (4, date(2024, 1, 10)), (3, date(2024, 1, 17))]
    assert table.schema == TRANSACTIONS.contract.schema


def test_days_without_a_purchase_give_an_empty_table(volume: Volume) -> None:
    table = read_transactions(volume, date(2024, 1, 7), since=date(2024, 1, 2))
    assert table.num_rows == 0
    assert table.schema == TRANSACTIONS.contract.schema


def test_customers_with_history_bought_before_the_cutoff(volume: Volume) -> None:
    assert customers_with_history(volume, date(2024, 1, 10)).tolist() == [1, 2]
    assert customers_with_history(volume, AFTER).tolist() == [1, 2, 3, 4]


def test_no_purchase_before_the_cutoff_is_reported_in_one_line(volume: Volume) -> None:
    with pytest.raises(VolumeError, match=r"ledger\.json: no purchases before 2024-01-01, expected some"):
        transaction_partitions(volume, FIRST)


def test_a_missing_ledger_is_reported_with_its_producer(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="ledger is missing; run extract_and_validate_data"):
        transaction_partitions(Volume(tmp_path), AFTER)


def test_only_purchases_of_the_given_customers_are_read(volume: Volume) -> None:
    table = read_transactions(volume, AFTER, since=date(2024, 1, 7), customers=pa.array([1, 2, 3]))
    assert bought(table) == [(2, date(2024, 1, 7)), (2, date(2024, 1, 8)), (3, date(2024, 1, 17))]


def test_only_the_given_columns_are_read(volume: Volume) -> None:
    wanted = ["purchase_date", "customer_id"]
    assert read_transactions(volume, AFTER, columns=wanted).column_names == wanted
    assert read_transactions(volume, AFTER, since=AFTER, columns=wanted).column_names == wanted


def test_a_week_before_the_first_day_is_not_opened(volume: Volume) -> None:
    first = volume.path(TRANSACTIONS) / "first.parquet"
    page = first.read_bytes()
    first.write_bytes(page[:4] + bytes(len(page) // 3) + page[4 + len(page) // 3 :])
    table = read_transactions(volume, AFTER, since=date(2024, 1, 8))
    assert bought(table) == [(2, date(2024, 1, 8)), (4, date(2024, 1, 10)), (3, date(2024, 1, 17))]
    with pytest.raises(VolumeError, match=r"first\.parquet: not readable as parquet"):
        read_transactions(volume, AFTER, since=date(2024, 1, 7))


READERS = [transaction_partitions, read_transactions, customers_with_history]


@pytest.mark.parametrize("read", READERS)
def test_a_missing_partition_is_reported_in_one_line(
    volume: Volume, read: Callable[[Volume, date], object]
) -> None:
    (volume.path(TRANSACTIONS) / "second.parquet").unlink()
    with pytest.raises(
        VolumeError,
        match=r"second\.parquet: missing but named by the ledger; run extract_and_validate_data --reload$",
    ):
        read(volume, AFTER)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_truncated_partition_is_reported_in_one_line(
    volume: Volume, read: Callable[[Volume, date], object], share: float
) -> None:
    file = volume.path(TRANSACTIONS) / "second.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        VolumeError,
        match=r"second\.parquet: not readable as parquet \(.+\); run extract_and_validate_data --reload$",
    ) as error:
        read(volume, AFTER)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_transactions, customers_with_history])
def test_a_damaged_page_is_reported_in_one_line(
    volume: Volume, read: Callable[[Volume, date], object]
) -> None:
    file = volume.path(TRANSACTIONS) / "second.parquet"
    days = [SECOND] * 4000
    pq.write_table(purchases(*enumerate(days)), file, compression="zstd", use_dictionary=False)
    whole = file.read_bytes()
    page = whole.index(b"\x28\xb5\x2f\xfd")  # where zstd's first frame begins
    file.write_bytes(whole[:page] + b"\xff" * 40 + whole[page + 40 :])
    with pytest.raises(VolumeError, match=r"second\.parquet: not readable as parquet \(.+\); run extract"):
        read(volume, AFTER)


def test_a_partition_with_other_columns_is_reported_with_their_names(volume: Volume) -> None:
    file = volume.path(TRANSACTIONS) / "second.parquet"
    pq.write_table(purchases((2, SECOND)).rename_columns({"n_units": "items"}), file)
    with pytest.raises(
        ContractError, match=r"second\.parquet: column n_units is missing; column items is not expected"
    ):
        read_transactions(volume, AFTER)


def test_a_file_after_the_cutoff_may_be_damaged(volume: Volume) -> None:
    (volume.path(TRANSACTIONS) / "third.parquet").write_bytes(b"")
    assert len(transaction_partitions(volume, THIRD)) == 2
