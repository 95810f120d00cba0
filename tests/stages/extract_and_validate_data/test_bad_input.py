"""Unusable files and columns: a reported result, or one line and no change on the volume."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.volume.volume import Volume
from support.sales_data import (
    synthetic_customers,
    synthetic_products,
)

from .volumes import (
    DROP,
    add_drop,
    assert_refused,
    load,
    raw_volume,
    read_purchases,
    read_quality,
    rewrite,
)

AS_OF = "2024-03-06"


class TestFiles:
    @pytest.mark.parametrize("name", ["transacciones", "clientes", "productos"])
    def test_a_missing_file_is_named_with_both_of_its_names(self, tmp_path: Path, name: str) -> None:
        volume = raw_volume(tmp_path)
        (volume.root / "raw" / f"{name}.parquet").unlink()
        assert_refused(volume, rf"raw: found n(o|either).*{name}")

    def test_a_folder_without_raw_is_refused_and_not_created(self, tmp_path: Path) -> None:
        assert_refused(Volume(tmp_path / "nowhere"), "raw: found no transaction file")
        assert not (tmp_path / "nowhere").exists()

    def test_a_table_under_both_names_is_refused(self, volume: Volume) -> None:
        synthetic_customers(3).to_parquet(volume.root / "raw" / "customers.parquet")
        assert_refused(volume, "found both of clientes.parquet and customers.parquet")

    @pytest.mark.parametrize("name", ["transacciones_2.parquet", "clientes.parquet", "productos.parquet"])
    @pytest.mark.parametrize("content", [b"", b"customer_id;product_id\n1;2\n"])
    def test_an_empty_file_or_another_format_is_refused(
        self, volume: Volume, name: str, content: bytes
    ) -> None:
        (volume.root / "raw" / name).write_bytes(content)
        assert_refused(volume, name, "not readable, expected whole parquet files")

    def test_one_message_names_all_unreadable_files(self, volume: Volume) -> None:
        for name in ("transacciones_2.parquet", "transacciones_3.parquet", "clientes.parquet"):
            (volume.root / "raw" / name).write_bytes(name.encode())
        assert_refused(volume, "clientes", "transacciones_2", "transacciones_3")

    def test_a_truncated_file_is_refused(self, volume: Volume) -> None:
        path = add_drop(volume, "transacciones_2.parquet", DROP)
        path.write_bytes(path.read_bytes()[:-20])
        assert_refused(volume, "transacciones_2.parquet", "not readable")

    @pytest.mark.parametrize("name", ["transacciones_2.parquet", "clientes.parquet"])
    def test_a_file_damaged_in_the_middle_is_refused(self, volume: Volume, name: str) -> None:
        path = volume.root / "raw" / name
        rewrite(path, DROP if name.startswith("trans") else synthetic_customers(3))
        content = bytearray(path.read_bytes())
        content[4:40] = b"\xff" * 36
        path.write_bytes(content)
        assert_refused(volume, name, "damaged")

    def test_a_folder_instead_of_a_file_is_refused(self, volume: Volume) -> None:
        (volume.root / "raw" / "transacciones_2.parquet").mkdir()
        assert_refused(volume, "transacciones_2.parquet", "cannot be read")

    def test_a_file_without_rows_is_loaded_and_counted(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.head(0))
        result = load(volume)
        assert (result["files_new"], result["rows_new"], result["rows"]) == (1, 0, 4)

    def test_files_with_unexpected_names_are_listed_in_the_report(self, volume: Volume) -> None:
        (volume.root / "raw" / "ventas.csv").write_text("1;2")
        load(volume, AS_OF)
        assert read_quality(volume, AS_OF)["notes"] == [
            "ventas.csv in raw/ is not read: its name is none of those expected."
        ]


class TestColumns:
    def test_one_message_names_every_broken_column_of_every_file(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.drop(columns="items").assign(order_id="A-7"))
        customers = synthetic_customers(3).drop(columns="customer_type").assign(Y="south")
        rewrite(volume.root / "raw" / "clientes.parquet", customers)
        rewrite(
            volume.root / "raw" / "productos.parquet",
            synthetic_products(4).rename(columns={"size": "litres"}),
        )
        assert_refused(
            volume,
            "transacciones_2.parquet: .*column order_id has type .*, expected whole numbers",
            "column items is missing",
            "clientes.parquet: .*column customer_type is missing",
            "column Y has type .*, expected numbers",
            "productos.parquet: column size is missing",
        )

    def test_extra_columns_are_ignored_and_reported(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.assign(salesman="Ana", __index_level_0__=3))
        result = load(volume)
        assert result["rows_new"] == 2
        files = read_quality(volume, result["as_of"])["files"]
        assert files[1]["extra_columns"] == ["salesman", "__index_level_0__"]

    @pytest.mark.parametrize(
        ("column", "values", "expected"),
        [
            ("purchase_date", [20240306, 20240307], "dates, or text as YYYY-MM-DD"),
            ("purchase_date", pd.to_datetime(["2024-03-06", "2024-03-07"], utc=True), "dates"),
            ("items", ["1", "2"], "numbers"),
            ("customer_id", [True, False], "whole numbers"),
        ],
    )
    def test_a_wrong_type_is_refused(
        self, volume: Volume, column: str, values: object, expected: str
    ) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.assign(**{column: values}))
        assert_refused(volume, f"column {column} has type .*, expected {expected}")

    @pytest.mark.parametrize(
        "types",
        [
            {"customer_id": "int32", "product_id": "uint16", "order_id": "float64", "items": "float32"},
            {"purchase_date": "str"},
            {"purchase_date": "datetime64[s]"},
        ],
    )
    def test_types_with_a_lossless_conversion_are_accepted(
        self, volume: Volume, types: dict[str, str]
    ) -> None:
        expected = sorted(
            [*read_purchases(volume), (0, 0, 20, "2024-03-06", 2.0), (1, 1, 21, "2024-03-07", 2.0)]
        )
        add_drop(volume, "transacciones_2.parquet", DROP.astype(types))
        load(volume)
        assert read_purchases(volume) == expected

    def test_every_text_type_of_arrow_is_accepted(self, volume: Volume) -> None:
        for name, rows in (
            ("transacciones_2", DROP.assign(purchase_date=["2024-03-06", "2024-03-07"])),
            ("productos", synthetic_products(5)),
        ):
            table = pa.Table.from_pandas(rows, preserve_index=False)
            views = {
                field.name: pa.string_view() for field in table.schema if field.type == pa.large_string()
            }
            kinds = {field.name: views.get(field.name, field.type) for field in table.schema}
            assert views
            pq.write_table(table.cast(pa.schema(kinds)), volume.root / "raw" / f"{name}.parquet")
        result = load(volume)
        assert (result["kept"], result["products"]) == (6, 5)

    def test_column_names_in_upper_case_are_accepted(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.rename(columns=str.upper))
        assert load(volume)["kept"] == 6

    def test_a_column_that_occurs_twice_is_refused(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.assign(ITEMS=1.0))
        assert_refused(volume, "column items occurs 2 times, expected once")
