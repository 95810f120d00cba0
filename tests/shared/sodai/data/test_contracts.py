"""Contracts: which tables break one, and the message."""

import pyarrow as pa
import pytest

from sodai.data.catalog import ALL_DATASETS, STAGES
from sodai.data.contracts import Column, Contract
from sodai.errors import ContractError

CONTRACT = Contract(
    (
        Column("week", "string", "Monday"),
        Column("customer_id", "int64", "customer"),
        Column("share", "float64", "share of the whole", nullable=True, minimum=0, maximum=1),
    ),
    key=("week", "customer_id"),
)


def table(**columns: object) -> pa.Table:
    """Return three rows that conform to the contract, with some columns replaced."""
    return pa.table({"week": ["a", "a", "b"], "customer_id": [1, 2, 1], "share": [0.0, 1.0, None], **columns})


def fault_of(broken: pa.Table) -> str:
    with pytest.raises(ContractError, match=r"^example/shares\.parquet: .*; correct the stage") as error:
        CONTRACT.check(broken, "example/shares.parquet")
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix("example/shares.parquet: ").split("; correct the stage")[0]


def test_a_table_at_its_bounds_with_allowed_nulls_is_accepted() -> None:
    CONTRACT.check(table(), "example/shares.parquet")


def test_an_empty_table_is_accepted() -> None:
    CONTRACT.check(table().slice(0, 0), "example/shares.parquet")


def test_a_nullable_column_without_any_value_is_accepted() -> None:
    CONTRACT.check(table(share=pa.nulls(3, pa.float64())), "example/shares.parquet")


def test_a_missing_column_is_named() -> None:
    assert fault_of(table().drop_columns("share")) == "column share is missing"


def test_an_unexpected_column_is_named() -> None:
    assert fault_of(table(index=[0, 1, 2])) == "column index is not expected"


def test_a_wrong_type_is_named_with_the_expected_one() -> None:
    narrow = table(customer_id=pa.array([1, 2, 1], pa.int32()))
    assert fault_of(narrow) == "column customer_id has type int32, expected int64"


def test_a_null_in_the_key_is_named() -> None:
    assert fault_of(table(customer_id=[1, None, 1])) == "column customer_id has 1 nulls, expected none"


def test_a_repeated_key_is_counted() -> None:
    twice = table(week=["a", "a", "a"], customer_id=[1, 1, 1])
    assert fault_of(twice) == "2 rows repeat the key (week, customer_id), expected none"


@pytest.mark.parametrize(
    ("share", "fault"),
    [
        (-0.25, "column share has the value -0.25, expected 0 or more"),
        (1.5, "column share has the value 1.5, expected 1 or less"),
    ],
)
def test_a_value_out_of_bounds_is_named(share: float, fault: str) -> None:
    assert fault_of(table(share=[0.5, share, None])) == fault


def test_every_broken_column_is_reported_in_one_message() -> None:
    broken = pa.table({"customer_id": ["1"], "share": [0.5], "index": [0]})
    assert fault_of(broken) == (
        "column week is missing; column index is not expected; "
        "column customer_id has type string, expected int64"
    )
    broken = table(week=["a", None, None], share=[2.0, -1.0, 0.0])
    assert fault_of(broken) == (
        "column week has 2 nulls, expected none; column share has the value -1.0, expected 0 or more; "
        "column share has the value 2.0, expected 1 or less"
    )


def test_a_schema_is_checked_without_rows() -> None:
    CONTRACT.check_schema(table().schema, "example/shares.parquet")
    with pytest.raises(ContractError, match=r"example/shares\.parquet: column week is missing"):
        CONTRACT.check_schema(table().schema.remove(0), "example/shares.parquet")


def test_columns_of_an_older_version_get_their_new_names() -> None:
    contract = Contract(CONTRACT.columns, CONTRACT.key, former_names=(("part", "share"),))
    older = table().rename_columns(["week", "customer_id", "part"])
    assert contract.rename_former(older) == table()
    assert contract.rename_former(table()) == table()


def test_the_schema_keeps_order_and_types() -> None:
    assert CONTRACT.schema == table().schema
    assert CONTRACT.names == ["week", "customer_id", "share"]


def test_the_catalog_is_consistent() -> None:
    assert len({dataset.name for dataset in ALL_DATASETS}) == len(ALL_DATASETS)
    assert len({dataset.path_template for dataset in ALL_DATASETS}) == len(ALL_DATASETS)
    for dataset in ALL_DATASETS:
        assert dataset.producer in STAGES
        assert set(dataset.contract.key) <= set(dataset.contract.names)
        assert len(set(dataset.contract.names)) == len(dataset.contract.names)
        assert {today for _, today in dataset.contract.former_names} <= set(dataset.contract.names)
        by_name = {column.name: column for column in dataset.contract.columns}
        assert not any(by_name[name].nullable for name in dataset.contract.key), dataset.name
        assert dataset.relative_path(None).is_relative_to(dataset.relative_publish_root(None))
