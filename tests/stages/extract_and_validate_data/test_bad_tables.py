"""Dates outside the period, bad customers and products, and a damaged warehouse."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import CUSTOMERS, LEDGER, PRODUCTS, QUALITY_PAGE
from sodai.volume.transactions import transaction_partitions
from sodai.volume.volume import Volume
from support.sales_data import (
    FIRST_CUSTOMER,
    FIRST_PRODUCT,
    disguise_units,
    synthetic_customers,
    synthetic_products,
    write_transactions,
)

from .volumes import (
    DROP,
    FAR,
    HISTORY,
    add_drop,
    assert_refused,
    extract,
    line_files,
    lines,
    load,
    raw_volume,
    read_purchases,
    read_quality,
    read_state,
    rewrite,
)

AS_OF = "2024-03-06"


class TestTime:
    def test_rows_dated_as_of_or_later_are_kept_and_counted(self, volume: Volume) -> None:
        result = load(volume, "2024-03-05")
        assert result["lines_as_of_or_later"] == 1
        record = read_quality(volume, "2024-03-05")
        assert record["before_as_of"]["purchases"] == 3
        assert [week["week"] for week in record["weeks"]] == ["2024-02-26"]
        assert len(read_purchases(volume, date(2024, 3, 5))) == 3
        assert len(read_purchases(volume)) == 4

    def test_a_week_cut_by_as_of_counts_its_first_days(self, volume: Volume) -> None:
        load(volume, "2024-02-27")
        (week,) = read_quality(volume, "2024-02-27")["weeks"]
        assert (week["week"], week["lines"], week["purchases"], week["pairs"]) == ("2024-02-26", 2, 2, 2)

    def test_without_history_before_as_of_nothing_is_published(self, tmp_path: Path) -> None:
        volume = raw_volume(tmp_path)
        assert_refused(volume, "found no purchase dated before 2024-02-26", as_of="2024-02-26")

    def test_without_any_purchase_as_of_auto_is_refused(self, tmp_path: Path) -> None:
        volume = raw_volume(tmp_path, HISTORY.assign(items=disguise_units(-2)))
        assert_refused(volume, "found not one purchase")

    def test_a_drop_whose_dates_are_all_years_away_does_not_move_as_of(self, volume: Volume) -> None:
        late = DROP.assign(purchase_date=DROP["purchase_date"] + pd.DateOffset(years=20))
        add_drop(volume, "transacciones_2.parquet", late)
        result = load(volume)
        assert (result["as_of"], result["lines_as_of_or_later"]) == (AS_OF, 2)
        (note,) = read_quality(volume, AS_OF)["notes"]
        assert note.startswith("Weeks far from all others, probably mistyped dates: 2044-02-29, 2044-03-07;")

    def test_a_line_mistyped_by_a_year_does_not_move_as_of_and_its_week_is_named(
        self, tmp_path: Path
    ) -> None:
        days = ("2024-02-20", "2024-02-27", "2024-03-05")
        usual = lines(*((0, 0, order, days[order % 3], 2) for order in range(36)))
        volume = raw_volume(tmp_path, pd.concat([usual, lines((1, 1, 90, "2025-03-05", 2))]))
        result = load(volume)
        assert (result["as_of"], result["quarantined"], result["lines_as_of_or_later"]) == (AS_OF, 0, 1)
        (note,) = read_quality(volume, AS_OF)["notes"]
        assert note.startswith("Weeks far from all others, probably mistyped dates: 2025-03-03;")
        assert load(volume, "2025-03-06")["lines_as_of_or_later"] == 0

    def test_a_line_mistyped_by_a_year_into_the_past_is_named_and_does_not_move_the_first_day(
        self, tmp_path: Path
    ) -> None:
        days = ("2024-02-20", "2024-02-27", "2024-03-05")
        usual = lines(*((0, 0, order, days[order % 3], 2) for order in range(36)))
        volume = raw_volume(tmp_path, pd.concat([usual, lines((1, 1, 90, "2023-03-07", 2))]))
        assert load(volume)["as_of"] == AS_OF
        (note,) = read_quality(volume, AS_OF)["notes"]
        assert note == (
            "Weeks far from all others, probably mistyped dates: 2023-03-06; "
            "--as-of auto and the start of the history ignore them."
        )
        assert volume.read_json(LEDGER)["first_date"] == "2024-02-20"

    @pytest.mark.parametrize("as_of", ["2024-03-06", "2024-03-12"])
    def test_a_week_before_as_of_with_a_purchase_needs_no_note(self, volume: Volume, as_of: str) -> None:
        assert load(volume, as_of)["notes"] == []

    def test_a_week_before_as_of_without_a_purchase_is_noted_in_every_output(self, volume: Volume) -> None:
        outcome = extract(volume, "2024-03-13")
        note = (
            "The newest purchase before 2024-03-13 is of 2024-03-05: the seven days before the period are "
            "empty. Add the missing transactions, or give --as-of 2024-03-06."
        )
        assert (outcome.code, outcome.result["notes"]) == (0, [note])
        assert f"WARNING {note}" in outcome.log
        assert read_quality(volume, "2024-03-13")["notes"] == [note]
        assert note in volume.path(QUALITY_PAGE, date(2024, 3, 13)).read_text()

    def test_a_later_purchase_and_a_stray_do_not_fill_the_week_before_as_of(self, tmp_path: Path) -> None:
        days = ("2024-02-20", "2024-02-27", "2024-03-20")
        usual = lines(*((0, 0, order, days[order % 3], 2) for order in range(36)))
        stray = lines((1, 1, 90, "2024-12-30", 2))
        volume = raw_volume(tmp_path, pd.concat([usual, stray]))
        (note,) = [note for note in load(volume, "2024-03-13")["notes"] if "newest" in note]
        assert note.startswith("The newest purchase before 2024-03-13 is of 2024-02-27: ")
        (note,) = [note for note in load(volume, "2025-01-01")["notes"] if "newest" in note]
        assert note.startswith("The newest purchase before 2025-01-01 is of 2024-03-20: ")

    def test_an_impossible_date_is_refused(self, volume: Volume) -> None:
        assert_refused(volume, "--as-of: found '2024-02-30', expected a date", as_of="2024-02-30")


class TestTables:
    def test_one_customer_only_is_enough(self, tmp_path: Path) -> None:
        volume = raw_volume(tmp_path, HISTORY.head(2))
        rewrite(volume.root / "raw" / "clientes.parquet", synthetic_customers(1))
        result = load(volume)
        assert (result["customers"], result["kept"]) == (1, 2)

    def test_rows_without_key_and_repeated_rows_are_left_out_and_counted(self, volume: Volume) -> None:
        customers = synthetic_customers(3).astype({"customer_id": "float64"})
        nameless = customers.head(1).assign(customer_id=np.nan)
        rewrite(volume.root / "raw" / "clientes.parquet", pd.concat([customers, nameless, customers.tail(1)]))
        assert load(volume, AS_OF)["customers"] == 3
        report = read_quality(volume, AS_OF)["tables"]["customers"]
        assert (report["rows_without_key"], report["duplicate_rows"]) == (1, 1)

    def test_two_different_rows_of_one_customer_are_refused(self, volume: Volume) -> None:
        customers = synthetic_customers(3)
        twice = pd.concat([customers, customers.tail(1).assign(customer_type="OTRO")])
        rewrite(volume.root / "raw" / "clientes.parquet", twice)
        assert_refused(volume, "clientes.parquet: 1 rows repeat a customer_id with other values")

    def test_swapped_coordinates_are_exchanged_and_reported(self, tmp_path: Path) -> None:
        volume = raw_volume(tmp_path)
        rewrite(volume.root / "raw" / "clientes.parquet", synthetic_customers(30))
        load(volume, AS_OF)
        customers = volume.read(CUSTOMERS, date.fromisoformat(AS_OF)).to_pandas()
        assert customers["y"].between(-47, -46).all()
        assert customers["x"].dropna().between(-109, -107).all()
        assert read_quality(volume, AS_OF)["tables"]["customers"]["swapped_coordinates"] == [FIRST_CUSTOMER]

    def test_a_column_that_the_business_does_not_have_may_be_all_null(self, volume: Volume) -> None:
        table = pa.Table.from_pandas(synthetic_customers(3).drop(columns="Y"), preserve_index=False)
        table = table.append_column("Y", pa.nulls(3))
        pq.write_table(table, volume.root / "raw" / "clientes.parquet")
        load(volume, AS_OF)
        assert volume.read(CUSTOMERS, date.fromisoformat(AS_OF))["y"].null_count == 3

    def test_a_product_without_a_value_keeps_its_null(self, volume: Volume) -> None:
        products = synthetic_products(4)
        products.loc[0, ["brand", "size"]] = None
        rewrite(volume.root / "raw" / "productos.parquet", products)
        load(volume, AS_OF)
        assert read_quality(volume, AS_OF)["tables"]["products"]["nulls"] == {"brand": 1, "size": 1}
        first = volume.read(PRODUCTS, date.fromisoformat(AS_OF)).to_pylist()[0]
        assert (first["product_id"], first["brand"], first["size"]) == (FIRST_PRODUCT, None, None)


class TestWarehouse:
    def test_a_missing_partition_is_refused_and_reload_rebuilds_it(self, volume: Volume) -> None:
        before = read_purchases(volume)
        line_files(volume)[0].unlink()
        assert_refused(volume, "missing but named by the ledger", "--reload")
        load(volume, AS_OF, "--reload")
        assert read_purchases(volume) == before

    @pytest.mark.parametrize("content", ["{", "{}", json.dumps({"files": [], "partitions": {}})])
    def test_an_unreadable_ledger_is_refused_and_reload_rebuilds_it(
        self, volume: Volume, content: str
    ) -> None:
        before = read_state(volume)
        volume.path(LEDGER).write_text(content)
        assert_refused(volume, r"ledger\.json: .*; run extract_and_validate_data --reload")
        load(volume, AS_OF, "--reload")
        assert read_state(volume) == before

    def test_a_corrected_file_is_loaded_in_addition_to_its_earlier_content(self, volume: Volume) -> None:
        write_transactions(volume.root / "raw" / "transacciones.parquet", pd.concat([HISTORY.tail(2), DROP]))
        result = load(volume)
        assert (result["rows_new"], result["kept"], result["duplicates"]) == (4, 6, 2)
        (note,) = read_quality(volume, result["as_of"])["notes"]
        assert note.startswith("transacciones.parquet was loaded with 2 contents")
        assert load(volume, result["as_of"], "--reload")["kept"] == 4

    def test_rows_of_a_removed_file_stay_until_reload_with_a_note_each_time(self, volume: Volume) -> None:
        drop = add_drop(volume, "transacciones_2.parquet", DROP)
        load(volume)
        drop.unlink()
        result = load(volume, "2024-03-08")
        assert result["notes"] == [
            "No longer in raw/, but in the warehouse until --reload: transacciones_2.parquet (2 rows)."
        ]
        assert result["kept"] == 6

        outcome = extract(volume, "2024-03-08", "--reload")
        note = f"--reload removed files from the warehouse that are no longer in raw/: {drop.name} (2 rows)."
        assert (outcome.result["notes"], outcome.result["kept"]) == ([note], 4)
        assert f"WARNING {note}" in outcome.log
        assert load(volume, "2024-03-08")["notes"] == []

    def test_a_file_with_another_name_or_content_is_not_removed(self, volume: Volume) -> None:
        raw = volume.root / "raw"
        drop = add_drop(volume, "transacciones_2.parquet", DROP)
        load(volume)
        drop.rename(raw / "transacciones_3.parquet")
        assert load(volume, "2024-03-08")["notes"] == []
        write_transactions(raw / "transacciones.parquet", HISTORY.head(3))
        assert load(volume, "2024-03-08", "--reload")["notes"] == []

    def test_reload_notes_that_an_unreadable_ledger_hides_what_it_leaves_out(self, volume: Volume) -> None:
        volume.path(LEDGER).write_text("{")
        (note,) = load(volume, AS_OF, "--reload")["notes"]
        assert note.startswith("The ledger could not be read: ")
        assert load(volume, AS_OF, "--reload")["notes"] == []

    def test_replaced_partitions_stay_for_concurrent_readers(self, volume: Volume) -> None:
        before, bought = line_files(volume), read_purchases(volume)
        opened = [*transaction_partitions(volume, FAR).values()]
        add_drop(volume, "transacciones_2.parquet", DROP)
        load(volume)
        (replaced,) = set(before) - set(line_files(volume))
        assert replaced.exists()
        assert sum(pq.read_metadata(file).num_rows for file in opened) == len(bought)
        # Readers of the next load use a ledger that does not name it.
        load(volume, AS_OF)
        assert [file.exists() for file in before] == [file != replaced for file in before]
