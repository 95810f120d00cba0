"""Sorted tables: shards, batches of whole customers, and rows out of order."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generate_predictions.merge_cursor import MergeCursor
from sodai.data.contracts import Column, Contract
from sodai.data.shard import Shard
from sodai.errors import ContractError, VolumeError
from sodai.volume.sorted_tables import (
    iter_row_groups,
    iter_whole_customers,
    read_sorted,
    shard_rows,
    sorted_writer,
)

CONTRACT = Contract(
    (
        Column("customer_id", "int64", "customer"),
        Column("product_id", "int64", "product"),
        Column("rank", "int32", "rank", minimum=1),
    ),
    key=("customer_id", "product_id"),
)
# The number of rows of each customer.
customers = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def pairs(lengths: list[int]) -> pa.Table:
    """Return customers 10, 20, ... with products 1, 2, ..."""
    keys = [(10 * number, product) for number, n in enumerate(lengths, 1) for product in range(1, n + 1)]
    customer_id, product_id = zip(*keys, strict=True)
    return pa.table([customer_id, product_id, [1] * len(keys)], schema=CONTRACT.schema)


def read(file: Path, rows: range | None = None) -> pa.Table:
    batches = read_sorted([file], CONTRACT, "example", rows)
    return pa.concat_tables([CONTRACT.schema.empty_table(), *batches])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pairs([2, 3, 1]), tmp_path / "pairs.parquet", row_group_size=2)
    return tmp_path / "pairs.parquet"


def test_shards_end_between_two_customers(file: Path) -> None:
    # Six rows of customers 10, 10, 20, 20, 20, 30: the middle is within customer 20.
    assert shard_rows(Shard(0, 2), file, "example") == range(0, 5)
    assert shard_rows(Shard(1, 2), file, "example") == range(5, 6)
    assert Shard(0, 2).name == "0-of-2"


@given(customers, st.integers(1, 15), st.integers(1, 8))
def test_shards_have_every_row_once_and_never_split_a_customer(
    lengths: list[int], n_shards: int, n_rows: int
) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.parquet"
        pq.write_table(pairs(lengths), file, row_group_size=n_rows)
        shards = [
            read(file, shard_rows(Shard(number, n_shards), file, "example")) for number in range(n_shards)
        ]
    assert pa.concat_tables(shards).equals(pairs(lengths))
    owners = [set(shard["customer_id"].to_pylist()) for shard in shards]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_a_shard_reads_only_its_own_row_groups(file: Path) -> None:
    content = bytearray(file.read_bytes())
    first = pq.ParquetFile(file).metadata.row_group(0).column(1)
    content[first.data_page_offset : first.data_page_offset + 20] = bytes(20)
    file.write_bytes(content)

    assert read(file, range(5, 6)).to_pylist() == [{"customer_id": 30, "product_id": 1, "rank": 1}]
    with pytest.raises(VolumeError, match=r"pairs\.parquet: not readable as parquet .*; run example again"):
        read(file)


@given(customers, st.integers(1, 12), st.integers(1, 8), st.integers(1, 8))
def test_tables_have_whole_customers_and_do_not_depend_on_the_batches(
    lengths: list[int], n_rows: int, one: int, other: int
) -> None:
    rows = pairs(lengths)

    def cut(n: int) -> Iterator[pa.Table]:
        return iter_whole_customers((rows.slice(start, n) for start in range(0, len(rows), n)), n_rows)

    tables = list(cut(one))
    assert [table.num_rows for table in tables] == [table.num_rows for table in cut(other)]
    assert pa.concat_tables(tables).equals(rows)
    for table in tables:
        owners = table["customer_id"].unique().to_pylist()
        assert table.num_rows == sum(lengths[owner // 10 - 1] for owner in owners)
        assert table.num_rows <= n_rows or len(owners) == 1


def test_a_table_has_as_many_customers_as_fit_or_a_single_larger_one() -> None:
    tables = iter_whole_customers([pairs([2, 2, 6, 1, 2])], n_rows=4)
    assert [table.num_rows for table in tables] == [4, 6, 3]


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ([(1, 1), (1, 1)], "customer_id 1, product_id 1"),
        ([(1, 2), (1, 1)], "customer_id 1, product_id 1"),
        ([(2, 1), (1, 5)], "customer_id 1, product_id 5"),
    ],
    ids=["twice", "product", "customer"],
)
@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_key_out_of_order_is_reported_in_one_line(
    tmp_path: Path, keys: list[tuple[int, int]], key: str, n_rows: int
) -> None:
    rows = {"customer_id": [c for c, _ in keys], "product_id": [p for _, p in keys], "rank": [1] * len(keys)}
    pq.write_table(pa.table(rows, CONTRACT.schema), tmp_path / "rows.parquet", row_group_size=n_rows)
    with pytest.raises(
        ContractError,
        match=rf"rows\.parquet: {key} does not come after the row before it, expected every "
        r"\(customer_id, product_id\) once and in order; run example again",
    ):
        read(tmp_path / "rows.parquet")


def test_the_order_is_checked_across_files(file: Path) -> None:
    with pytest.raises(ContractError, match="customer_id 10, product_id 1 does not come after"):
        list(read_sorted([file, file], CONTRACT, "example"))


def test_a_value_out_of_bounds_is_reported_in_its_batch(tmp_path: Path) -> None:
    rows = pairs([3]).set_column(2, "rank", pa.array([1, 2, 0], pa.int32()))
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=1)
    batches = read_sorted([tmp_path / "rows.parquet"], CONTRACT, "example")
    assert [next(batches).num_rows, next(batches).num_rows] == [1, 1]
    with pytest.raises(ContractError, match="column rank has the value 0, expected 1 or more"):
        next(batches)


def test_rows_are_appended_batch_by_batch_and_checked(tmp_path: Path) -> None:
    with sorted_writer(tmp_path / "rows.parquet", CONTRACT) as append:
        append(pairs([2]))
        append(pairs([2]).slice(1))
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups == 2
    with (
        sorted_writer(tmp_path / "other.parquet", CONTRACT) as append,
        pytest.raises(ContractError, match=r"other\.parquet: column rank is missing"),
    ):
        append(pairs([2]).drop_columns(["rank"]))


def test_a_merge_cursor_returns_the_rows_up_to_a_customer() -> None:
    rows = MergeCursor([pairs([1, 2]), pairs([1, 2, 3]).slice(3)], CONTRACT.schema)
    assert rows.up_to(5).num_rows == 0
    assert rows.up_to(15)["customer_id"].to_pylist() == [10]
    assert rows.up_to(25)["customer_id"].to_pylist() == [20, 20]
    assert rows.up_to(99)["customer_id"].to_pylist() == [30, 30, 30]
    assert rows.up_to(999).num_rows == 0


def test_only_the_requested_columns_are_read(file: Path) -> None:
    groups = list(iter_row_groups(file, "example", columns=["product_id"]))
    assert [group.to_pydict() for group in groups] == [
        {"product_id": [1, 2]}, {"product_id": [1, 2]}, {"product_id": [3, 1]}
    ]  # fmt: skip
