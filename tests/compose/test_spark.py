"""Spark and DuckDB give the same features and predictions, on the default data and with a cluster up."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from example_data.beverages import write_raw
from made_week import run_stage, small_model
from sodai.datasets import (
    EXTRACT,
    FEATURES_STAGE,
    FORECASTS,
    PREDICT,
    PREDICTIONS,
    PUBLISHED_MODEL,
    SCORING,
    TRAINING,
    Dataset,
)
from sodai.features import FEATURES
from sodai.volume import Volume

from . import spark

pytestmark = [pytest.mark.docker, pytest.mark.compose, pytest.mark.slow]

AS_OF = date(2018, 1, 1)
# Three periods are the fewest; rows for a sample of the customers in each, for all in the table to score.
OPTIONS = ("--training-periods", "3", "--training-rows", "50000")
PAIR = ["customer_id", "product_id"]
# Counts, days, and sums of whole units are the same on both. The exponential and the power are those of
# two mathematical libraries, which may differ in the last of a double's 53 bits, and so in the last of the
# 24 bits that a feature keeps: 2**-23.
TOLERANCE = 2.0**-23


@dataclass(frozen=True)
class Volumes:
    """Two volumes with the same warehouse and model, their features and predictions made by one engine each.

    `n_reused` training periods were on the volume of the cluster before; `n_tasks` scored the candidates.
    """

    duckdb: Volume
    spark: Volume
    n_reused: int
    n_tasks: int


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volumes]:
    roots = tmp_path_factory.mktemp("duckdb"), tmp_path_factory.mktemp("spark")
    write_raw(roots[0] / "raw")
    for stage, options in ((EXTRACT, ()), (FEATURES_STAGE, OPTIONS)):
        assert run_stage(stage, roots[0], str(AS_OF), *options).code == 0
    ours = Volume(roots[0])
    small_model(ours, AS_OF).save(ours.path(PUBLISHED_MODEL, AS_OF))
    with spark.cluster(roots[0]):
        features = spark.run_on_cluster(FEATURES_STAGE, str(AS_OF), *OPTIONS)
        predictions = spark.run_on_cluster(PREDICT, str(AS_OF))
        spark.copy_volume(roots[1])
    assert run_stage(PREDICT, roots[0], str(AS_OF)).code == 0
    reused, tasks = features["training_periods_reused"], predictions["shards"]
    yield Volumes(ours, Volume(roots[1]), reused, tasks)
    for root in roots:
        shutil.rmtree(root)


def rows(volume: Volume, dataset: Dataset) -> pd.DataFrame:
    """The rows of a table in the order in which they are stored, checked against its contract."""
    return volume.read(dataset, AS_OF).to_pandas()


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


def test_no_training_rows_of_one_engine_pass_for_those_of_the_other(volumes: Volumes) -> None:
    # The volume of the cluster began with the parts that DuckDB had left.
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
