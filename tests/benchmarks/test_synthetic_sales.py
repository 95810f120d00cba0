"""Synthetic sales: distributed like SodAI's sales of 2024, reproducible, readable by the stages."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.synthetic_sales import AS_OF, FIRST_DAY, write_sales
from sodai.data.catalog import EXTRACT
from support.week import files_of, run_stage

SODAI_LINES = 254_936
PAIR = ["customer_id", "product_id"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sales") / "raw"
    write_sales(folder, SODAI_LINES)
    return folder


@pytest.fixture(scope="module")
def lines(folder: Path) -> pd.DataFrame:
    files = sorted(folder.glob("transacciones_*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def test_numbers_of_lines_customers_and_products_are_those_of_sodai(lines: pd.DataFrame) -> None:
    assert len(lines) == pytest.approx(SODAI_LINES, rel=0.05)
    assert lines["customer_id"].nunique() == pytest.approx(1_490, rel=0.02)
    assert lines["product_id"].nunique() == 114
    assert lines.groupby("order_id").size().mean() == pytest.approx(3.9, rel=0.1)


def test_ten_products_make_more_than_half_of_the_lines_and_the_tail_is_long(lines: pd.DataFrame) -> None:
    share = lines["product_id"].value_counts(normalize=True)
    assert 0.5 < share.head(10).sum() < 0.7
    assert share.tail(57).sum() < 0.15


def test_most_customers_buy_little_and_some_much(lines: pd.DataFrame) -> None:
    per_customer = lines.groupby("customer_id").size().quantile([0.1, 0.5, 0.9])
    assert list(per_customer) == pytest.approx([27, 115, 391], rel=0.2)
    n_products = lines[PAIR].drop_duplicates().groupby("customer_id").size()
    assert n_products.median() == pytest.approx(17, rel=0.2)


def test_a_third_of_the_pairs_of_a_week_were_bought_in_the_week_before_too(lines: pd.DataFrame) -> None:
    week = (lines["purchase_date"] - pd.Timestamp(FIRST_DAY)).dt.days // 7
    bought = lines[PAIR].assign(week=week).drop_duplicates()
    again = bought.merge(bought.assign(week=bought["week"] + 1))
    assert 0.25 < len(again) / len(bought) < 0.5


def test_products_come_and_go_and_weeks_have_a_season(lines: pd.DataFrame) -> None:
    days = lines.groupby("product_id")["purchase_date"].agg(["min", "max"])
    assert (days["min"] > "2024-04-01").sum() > 20
    assert (days["max"] < "2024-10-01").sum() > 10
    weekly = lines.groupby((lines["purchase_date"] - pd.Timestamp(FIRST_DAY)).dt.days // 7).size()
    assert len(weekly) == 52
    assert weekly[[19, 20, 21]].max() < 0.75 * weekly.median() < weekly.median() < 0.85 * weekly[51]


def test_some_lines_are_cancelled_and_some_are_duplicated(lines: pd.DataFrame) -> None:
    units = (3 * lines["items"] - 1) / 2
    assert np.allclose(units, units.round())
    assert (units < 0).mean() == pytest.approx(0.033, rel=0.2)
    assert (lines.groupby([*PAIR, "order_id"])["items"].sum() > 0).all()
    assert lines.duplicated().mean() == pytest.approx(0.0035, rel=0.3)


def test_files_do_not_overlap_in_time_and_the_newest_week_is_one_file(folder: Path) -> None:
    spans = []
    for file in sorted(folder.glob("transacciones_*.parquet")):
        day = pd.read_parquet(file)["purchase_date"]
        spans.append((day.min(), day.max()))
    spans.sort()
    assert len(spans) == 13
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    newest = pd.read_parquet(folder / f"transacciones_{AS_OF - timedelta(weeks=1)}.parquet")["purchase_date"]
    assert newest.min() == pd.Timestamp(AS_OF - timedelta(weeks=1))
    assert newest.max() < pd.Timestamp(AS_OF)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_sales(tmp_path / name, 20_000, seed)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b") != files_of(tmp_path / "c")


def test_customers_grow_with_the_lines_and_products_with_their_square_root(tmp_path: Path) -> None:
    write_sales(tmp_path, 64_000)
    assert len(pd.read_parquet(tmp_path / "clientes.parquet")) == 374
    assert len(pd.read_parquet(tmp_path / "productos.parquet")) == 57


def test_extraction_accepts_every_line(tmp_path: Path) -> None:
    n_rows = write_sales(tmp_path / "raw", 20_000)
    outcome = run_stage(EXTRACT, tmp_path, "auto")
    assert outcome.code == 0, outcome.log
    assert outcome.result["as_of"] == str(AS_OF)
    assert outcome.result["rows"] == n_rows
    assert outcome.result["quarantined"] == 0
    assert outcome.result["n_decoded"] == outcome.result["n_readable"] == n_rows
