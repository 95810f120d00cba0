"""Unusable rows go to quarantine with a reason; all others are loaded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import LEDGER
from sodai.volume.volume import Volume
from support.sales_data import (
    FIRST_CUSTOMER,
    synthetic_customers,
    synthetic_products,
)

from .volumes import (
    DROP,
    HISTORY,
    add_drop,
    assert_refused,
    lines,
    load,
    raw_volume,
    read_purchases,
    read_quality,
    read_quarantine,
    read_state,
    rewrite,
)


class TestRows:
    def drop_with(self, volume: Volume, **columns: object) -> None:
        """Add a drop of two good lines with a broken one between them."""
        broken = DROP.head(1).astype(dict.fromkeys(columns, object)).assign(**columns)
        drop = pd.concat([DROP.head(1), broken, DROP.tail(1)])
        kinds = {name: "str" if isinstance(value, str) else "float64" for name, value in columns.items()}
        kinds.pop("purchase_date", None)
        add_drop(volume, "transacciones_2.parquet", drop.astype(kinds))

    @pytest.mark.parametrize("column", ["customer_id", "product_id", "order_id", "items"])
    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_rows_without_a_usable_key_or_quantity_go_to_quarantine(
        self, volume: Volume, column: str, value: float
    ) -> None:
        self.drop_with(volume, **{column: value})
        result = load(volume)
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, f"no usable {column}")]
        assert (result["rows_new"], result["kept"], result["quarantined"]) == (3, 6, 1)

    @pytest.mark.parametrize("kind", ["float64", "float32"])
    @pytest.mark.parametrize("column", ["customer_id", "product_id", "order_id", "items"])
    def test_rows_with_a_nan_outside_the_file_statistics_go_to_quarantine(
        self, volume: Volume, column: str, kind: str
    ) -> None:
        drop = pd.concat([DROP.head(1), DROP]).assign(order_id=[20, 21, 22])
        table = pa.Table.from_pandas(drop, preserve_index=False)
        # pandas would write null instead.
        values = pa.array([drop[column].iloc[0], np.nan, drop[column].iloc[2]], kind)
        place = drop.columns.get_loc(column)
        path = volume.root / "raw" / "transacciones_2.parquet"
        pq.write_table(table.set_column(place, column, values), path)
        result = load(volume)
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, f"no usable {column}")]
        assert (result["rows_new"], result["kept"], result["quarantined"]) == (3, 6, 1)
        (example,) = read_quality(volume, result["as_of"])["quarantine_examples"]
        assert f"{column}=nan" in example["found"]

    def test_a_fraction_is_no_key(self, volume: Volume) -> None:
        self.drop_with(volume, customer_id=FIRST_CUSTOMER + 0.5)
        load(volume)
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, "no usable customer_id")]

    @pytest.mark.parametrize(("kind", "first_inexact"), [("float32", 2**24), ("float64", 2**53)])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_float_that_represents_several_whole_numbers_is_no_key(
        self, volume: Volume, kind: str, first_inexact: int, sign: int
    ) -> None:
        drop = pd.concat([DROP, DROP.head(1)])
        drop["order_id"] = np.array([sign * first_inexact, sign * (first_inexact - 1), 22], kind)
        add_drop(volume, "transacciones_2.parquet", drop)
        load(volume)
        assert read_quarantine(volume) == [("transacciones_2.parquet", 0, "no usable order_id")]
        assert {sign * (first_inexact - 1), 22} < {order for _, _, order, _, _ in read_purchases(volume)}

    @pytest.mark.parametrize(
        ("day", "reason"),
        [
            (pd.Timestamp("1999-12-31"), "absurd purchase_date"),
            (pd.Timestamp("2001-03-06"), "absurd purchase_date"),
            (pd.Timestamp("2042-03-06"), "absurd purchase_date"),
            (pd.Timestamp("2199-03-06"), "absurd purchase_date"),
            (pd.NaT, "no usable purchase_date"),
        ],
    )
    def test_absurd_dates_go_to_quarantine_before_as_of_is_found(
        self, volume: Volume, day: pd.Timestamp, reason: str
    ) -> None:
        self.drop_with(volume, purchase_date=day)
        assert load(volume)["as_of"] == "2024-03-08"
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, reason)]

    def test_text_that_is_no_date_goes_to_quarantine_unchanged(self, volume: Volume) -> None:
        days = ["2024-03-06", "06/03/2024", "2024-03-07"]
        add_drop(
            volume, "transacciones_2.parquet", pd.concat([DROP, DROP.tail(1)]).assign(purchase_date=days)
        )
        result = load(volume)
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, "no usable purchase_date")]
        (example,) = read_quality(volume, result["as_of"])["quarantine_examples"]
        assert "purchase_date=06/03/2024" in example["found"]

    @pytest.mark.parametrize(
        ("day", "expected"),
        [
            ("2024-03-06 07:30:00", "2024-03-06"),
            ("2024-03-06T07:30", "2024-03-06"),
            (" 2024-3-6 ", "2024-03-06"),
            ("2024/03/06", "2024-03-06"),
            ("2024-02-30", None),
            ("2024-03-06 25:00:00", None),
            ("2024", None),
            ("epoch", None),
        ],
    )
    def test_date_texts_are_read_the_same_by_every_engine(
        self, volume: Volume, day: str, expected: str | None
    ) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.assign(purchase_date=[day, "2024-03-07"]))
        load(volume)
        days = [day for _, _, order, day, _ in read_purchases(volume) if order == 20]
        assert days == ([expected] if expected else [])

    def test_numbers_in_quarantine_are_written_with_the_fewest_digits(self, volume: Volume) -> None:
        texts = {
            1.5e300: "1.5e300",
            -2e18: "-2e18",
            9007199254740992.0: "9007199254740992",
            12345678901.5: "12345678901.5",
            np.inf: "inf",
            -np.inf: "-inf",
            2.5e-12: "2.5e-12",
            np.nan: "null",
        }
        drop = pd.concat([DROP.head(1)] * len(texts)).assign(items=[*texts])
        # A whole number in a column that pandas wrote as floats because of a null.
        drop["customer_id"] = 20_000_000.0
        drop["order_id"] = np.nan
        add_drop(volume, "transacciones_2.parquet", pd.concat([drop, DROP]))
        result = load(volume)
        found = [
            row["found"].split(", ") for row in read_quality(volume, result["as_of"])["quarantine_examples"]
        ]
        assert [columns[-1] for columns in found] == [f"items={text}" for text in texts.values()]
        assert {columns[0] for columns in found} == {"customer_id=20000000"}

    def test_every_reason_of_a_row_is_listed(self, volume: Volume) -> None:
        self.drop_with(volume, order_id=np.nan, items=np.nan, product_id=7.0)
        load(volume)
        reasons = "no usable order_id; no usable items; unknown product"
        assert read_quarantine(volume) == [("transacciones_2.parquet", 1, reasons)]

    def test_a_file_without_a_usable_row_is_refused(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", DROP.assign(purchase_date=["6.3.", "7.3."]))
        assert_refused(volume, "not one of its 2 rows is usable", "2 times: no usable purchase_date")

    def test_rows_of_unknown_customers_and_products_wait_until_the_business_sends_these(
        self, volume: Volume
    ) -> None:
        add_drop(
            volume,
            "transacciones_2.parquet",
            lines((0, 0, 20, "2024-03-06", 2), (3, 0, 21, "2024-03-06", 2), (4, 9, 22, "2024-03-07", 2)),
        )
        result = load(volume)
        assert result["quarantined"] == 2
        assert read_quarantine(volume) == [
            ("transacciones_2.parquet", 1, "unknown customer"),
            ("transacciones_2.parquet", 2, "unknown customer; unknown product"),
        ]

        rewrite(volume.root / "raw" / "clientes.parquet", synthetic_customers(5))
        assert load(volume)["quarantined"] == 1
        assert read_quarantine(volume) == [("transacciones_2.parquet", 2, "unknown product")]
        assert (3, 0, 21, "2024-03-06", 2.0) in read_purchases(volume)

        rewrite(volume.root / "raw" / "productos.parquet", synthetic_products(10))
        result = load(volume)
        assert (result["quarantined"], result["kept"], result["as_of"]) == (0, 7, "2024-03-08")
        assert volume.read_json(LEDGER)["partitions"]["quarantine"] == {}

    def test_a_new_product_is_loaded_with_its_first_sale(self, volume: Volume) -> None:
        rewrite(volume.root / "raw" / "productos.parquet", synthetic_products(5))
        add_drop(volume, "transacciones_2.parquet", lines((0, 4, 20, "2024-03-06", 2)))
        result = load(volume)
        assert (result["quarantined"], result["products"]) == (0, 5)
        assert read_purchases(volume)[-1] == (1, 2, 12, "2024-03-05", 2.0)
        assert (0, 4, 20, "2024-03-06", 2.0) in read_purchases(volume)

    def test_duplicate_orders_count_once_within_and_across_files(self, volume: Volume) -> None:
        add_drop(volume, "transacciones_2.parquet", pd.concat([DROP, DROP, HISTORY.tail(1)]))
        result = load(volume)
        assert (result["rows_new"], result["kept"], result["duplicates"]) == (5, 6, 3)
        assert len(read_purchases(volume)) == 6

    def test_rows_of_a_file_that_only_repeats_others_are_accounted_for(self, tmp_path: Path) -> None:
        drops = {
            "transacciones_2.parquet": HISTORY.head(3),
            "transacciones_3.parquet": lines((0, 3, 13, "2024-02-28", 2)),
        }
        volume, together = raw_volume(tmp_path / "in_turn"), raw_volume(tmp_path / "together")
        for name, drop in drops.items():
            load(volume)
            add_drop(volume, name, drop)
            add_drop(together, name, drop)
        result = load(volume)
        assert (result["kept"], result["netted"], result["duplicates"]) == (5, 0, 3)
        load(together)
        assert read_state(volume) == read_state(together)

    def test_cancellations_are_subtracted_also_when_they_come_later(self, volume: Volume) -> None:
        cancelled = lines(
            (1, 2, 12, "2024-03-05", -2), (0, 0, 20, "2024-03-06", 2), (0, 0, 20, "2024-03-06", -1)
        )
        add_drop(volume, "transacciones_2.parquet", cancelled)
        result = load(volume)
        assert (result["kept"], result["netted"]) == (4, 3)
        assert read_purchases(volume) == [
            (0, 0, 10, "2024-02-26", 2.0),
            (0, 0, 20, "2024-03-06", 1.0),
            (0, 1, 10, "2024-02-26", 2.0),
            (1, 0, 11, "2024-02-27", 2.0),
        ]
        figures = read_quality(volume, result["as_of"])["before_as_of"]
        assert (figures["cancelled"], figures["reduced"], figures["returned"]) == (1, 1, 0)

    def test_negative_and_zero_items_alone_are_no_purchase(self, volume: Volume) -> None:
        drop = pd.concat([DROP, lines((0, 3, 22, "2024-03-06", -2), (0, 1, 23, "2024-03-06", 0))])
        add_drop(volume, "transacciones_2.parquet", drop)
        result = load(volume)
        assert (result["kept"], result["netted"], result["quarantined"]) == (6, 2, 0)
        assert read_quality(volume, result["as_of"])["before_as_of"]["returned"] == 1

    def test_quantities_without_disguise_are_used_as_written(self, tmp_path: Path) -> None:
        history = HISTORY.assign(items=[1.0, 3.0, 2.5, -1.0])
        volume = raw_volume(tmp_path, history)
        result = load(volume)
        assert result["n_decoded"] == 0
        assert [row[-1] for row in read_purchases(volume)] == [1.0, 3.0, 2.5]

    def test_a_quantity_that_does_not_fit_is_used_as_written(self, tmp_path: Path) -> None:
        day = "2024-02-26"
        history = pd.concat(
            [lines(*((0, 0, order, day, 2) for order in range(5))), lines((0, 1, 9, day, 0.5), decode=False)]
        )
        volume = raw_volume(tmp_path, history)
        result = load(volume)
        assert (result["n_fit"], result["n_decoded"], result["fit_share"]) == (
            5,
            5,
            pytest.approx(5 / 6, abs=1e-6),
        )
        assert read_purchases(volume)[-1] == (0, 1, 9, day, 0.5)
