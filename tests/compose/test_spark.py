"""Spark and DuckDB give the same tables and predictions, on the default data and with a cluster up."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from example_data.beverages import write_raw
from sodai.data.catalog import (
    EXTRACT,
    FEATURES_STAGE,
    FORECASTS,
    LEDGER,
    PREDICT,
    PREDICTIONS,
    PUBLISHED_MODEL,
    QUALITY,
    QUALITY_PAGE,
    QUARANTINE,
    SCORING,
    TRAINING,
    TRAINING_CACHE,
    Dataset,
)
from sodai.data.feature_catalog import FEATURES
from sodai.volume.volume import Volume
from support.week import files_of, run_stage, small_model

from . import spark

pytestmark = [pytest.mark.docker, pytest.mark.compose]

AS_OF = date(2018, 1, 1)
# Three periods are the fewest; rows for a sample of the customers in each, for all in the table to score.
OPTIONS = ("--training-periods", "3", "--training-rows", "50000")
PAIR = ["customer_id", "product_id"]
# Counts, days, and sums of whole units are the same on both. Exponentials and powers come from two
# mathematical libraries, which may differ in the last of the 53 bits of a double, and so in the last of the
# 24 bits of a feature: 2**-23.
TOLERANCE = 2.0**-23


# Quantities, customers and dates of a file with all kinds of unusable values.
NUMBERS = [np.nan, np.inf, -np.inf, 1.5e300, -2e18, 2.0**53, 12345678.5, 1 / 3, 2.5e-12, -0.0]
DAYS = ["2017-11-30 07:30:00", "2017/11/30", " 2017-3-1 ", "2017-02-30", "2017", "epoch", None]


@dataclass(frozen=True)
class Volumes:
    """Two volumes, each with the same files loaded in two steps, features and predictions by one engine.

    `loads` are the results of the two steps, by DuckDB and by the cluster; `refused` is the error about a
    damaged file. `n_reused` training periods were on the volume of the cluster before; `n_tasks` tasks scored
    the candidates.
    """

    duckdb: Volume
    spark: Volume
    loads: tuple[list[dict[str, Any]], list[dict[str, Any]]]
    refused: str
    n_reused: int
    n_tasks: int


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volumes]:
    ours, theirs = (Volume(tmp_path_factory.mktemp(engine)) for engine in ("duckdb", "spark"))
    newest = ours.root / "raw" / "transacciones_example_2017-12-25.parquet"
    write_raw(newest.parent)
    write_broken(newest.parent, pd.read_parquet(newest))
    write_damaged(ours.root / "damaged" / "raw", newest.parent)
    held_back = newest.rename(ours.root / newest.name)
    with spark.cluster(ours.root):
        here = [result_of(EXTRACT, ours)]
        there = [spark.run_on_cluster(EXTRACT, str(AS_OF))]
        held_back.rename(newest)
        here.append(result_of(EXTRACT, ours))
        result_of(FEATURES_STAGE, ours, *OPTIONS)
        small_model(ours, AS_OF).save(ours.path(PUBLISHED_MODEL, AS_OF))
        spark.put(ours.root, "raw", TRAINING_CACHE.path_template, str(PUBLISHED_MODEL.relative_path(AS_OF)))
        there.append(spark.run_on_cluster(EXTRACT, str(AS_OF)))
        features = spark.run_on_cluster(FEATURES_STAGE, str(AS_OF), *OPTIONS)
        predictions = spark.run_on_cluster(PREDICT, str(AS_OF))
        refused = spark.run_on_cluster(EXTRACT, str(AS_OF), "--data", "/data/damaged", code=1)["error"]
        spark.copy_volume(theirs.root)
    result_of(PREDICT, ours)
    assert "shards" not in predictions
    reused, tasks = features["training_periods_reused"], predictions["cluster_tasks"]
    yield Volumes(ours, theirs, (here, there), refused, reused, tasks)
    for volume in (ours, theirs):
        shutil.rmtree(volume.root)


def write_broken(raw: Path, lines: pd.DataFrame) -> None:
    """Write two files with unusable lines: one with fractions for whole numbers, one with text for dates."""
    numbers = lines.head(3 * len(NUMBERS)).reset_index(drop=True).astype(dict.fromkeys(PAIR, "float64"))
    for block, column in enumerate(("items", "customer_id", "product_id")):
        numbers.loc[block * len(NUMBERS) : (block + 1) * len(NUMBERS) - 1, column] = NUMBERS
    numbers.loc[0, "purchase_date"] = pd.NaT
    numbers.loc[1, "purchase_date"] = pd.Timestamp("2031-01-01 12:34:56.5")
    # Its name is a pattern that matches other names.
    numbers.to_parquet(raw / "transacciones_{numbers}[1].parquet", index=False)
    texts = lines.head(len(DAYS)).assign(purchase_date=DAYS).astype({"items": "float32"})
    table = pa.Table.from_pandas(texts, preserve_index=False)
    # pandas would write null instead; the minimum and maximum in the statistics of the file ignore it.
    items = pa.array([np.nan, *texts["items"].iloc[1:]], "float32")
    table = table.set_column(texts.columns.get_loc("items"), "items", items)
    pq.write_table(table, raw / "transacciones_texts.parquet")


def write_damaged(raw: Path, source: Path) -> None:
    """Write files of which one has a readable footer and unreadable rows."""
    raw.mkdir(parents=True)
    for name in ("clientes", "productos", "transacciones_example_2017-12-04"):
        shutil.copy(source / f"{name}.parquet", raw)
    with (raw / "transacciones_example_2017-12-04.parquet").open("r+b") as file:
        file.seek(4)
        file.write(b"\xff" * 36)


def result_of(stage: str, volume: Volume, *options: str) -> dict[str, Any]:
    outcome = run_stage(stage, volume.root, str(AS_OF), *options)
    assert outcome.code == 0, outcome.log
    return outcome.result


def rows(volume: Volume, dataset: Dataset) -> pd.DataFrame:
    """Return the rows of a table in stored order, checked against its contract."""
    return volume.read(dataset, AS_OF).to_pandas()


def test_loads_of_the_first_files_and_of_the_next_drop_are_equal(volumes: Volumes) -> None:
    here, there = volumes.loads
    assert here == there
    assert [load["files_new"] for load in there] == [6, 1]
    assert there[0]["quarantined"] > len(DAYS)


def test_the_warehouse_with_its_quarantine_is_equal_to_the_last_byte(volumes: Volumes) -> None:
    ours, theirs = (files_of(volume.path(LEDGER).parent) for volume in (volumes.duckdb, volumes.spark))
    assert theirs == ours
    assert QUARANTINE.relative_path(None).name in {Path(file).parts[0] for file in ours}


def test_damage_that_only_the_cluster_can_find_is_one_line(volumes: Volumes) -> None:
    assert re.match(
        r"/data/damaged/raw/transacciones_example_2017-12-04\.parquet: damaged \(.*\), "
        "expected a whole parquet file",
        volumes.refused,
    )


@pytest.mark.parametrize("dataset", [QUALITY, QUALITY_PAGE], ids=lambda dataset: dataset.name)
def test_quality_figures_and_their_page_are_equal(volumes: Volumes, dataset: Dataset) -> None:
    ours, theirs = (volume.path(dataset, AS_OF).read_text() for volume in (volumes.duckdb, volumes.spark))
    assert theirs == ours


@pytest.mark.parametrize("dataset", [TRAINING, SCORING], ids=lambda dataset: dataset.name)
def test_all_features_are_equal_row_by_row(volumes: Volumes, dataset: Dataset) -> None:
    ours, theirs = rows(volumes.duckdb, dataset), rows(volumes.spark, dataset)
    exact = [name for name in ours.columns if ours[name].dtype != np.float32]
    assert {*PAIR, "customer_type"} <= {*exact}
    assert len(FEATURES) == 72
    pd.testing.assert_frame_equal(theirs[exact], ours[exact])
    pd.testing.assert_frame_equal(theirs, ours, rtol=TOLERANCE, atol=0)


def test_files_have_the_types_of_the_contract(volumes: Volumes) -> None:
    for dataset in (TRAINING, SCORING):
        path = volumes.spark.path(dataset, AS_OF)
        for file in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
            assert pq.read_schema(file).remove_metadata() == dataset.contract.schema


def test_forecasts_are_equal(volumes: Volumes) -> None:
    assert volumes.spark.read(FORECASTS, AS_OF).equals(volumes.duckdb.read(FORECASTS, AS_OF))


def test_training_rows_of_one_engine_are_not_reused_by_the_other(volumes: Volumes) -> None:
    # The volume of the cluster began with the training cache of DuckDB.
    assert volumes.n_reused == 0


def test_predictions_are_equal(volumes: Volumes) -> None:
    ours, theirs = rows(volumes.duckdb, PREDICTIONS), rows(volumes.spark, PREDICTIONS)
    pd.testing.assert_frame_equal(theirs, ours, rtol=TOLERANCE, atol=0)


def test_workers_score_as_one_process_does_to_the_last_bit(volumes: Volumes) -> None:
    scored = volumes.spark.path(PREDICTIONS, AS_OF)
    before = scored.read_bytes()
    assert run_stage(PREDICT, volumes.spark.root, str(AS_OF)).code == 0
    assert scored.read_bytes() == before
    assert volumes.n_tasks > 1
