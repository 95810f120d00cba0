"""The DAG and the stages refuse the same combinations of settings."""

from itertools import product
from pathlib import Path

import pytest
import typer

from sodai.engines import EngineName
from sodai.errors import InputError
from sodai.stage.settings import check_settings as check_stage_options
from sodai_dag.settings import check_settings as check_environment

VOLUMES = {"sodai_data": Path("/data"), "s3://bucket/sodai": Path("s3:/bucket/sodai")}
ENGINES = {"duckdb": EngineName.DUCKDB, "spark": EngineName.SPARK}
COMBINATIONS = list(
    product(VOLUMES, ENGINES, ["", "sc://spark-connect:15002"], [1, 3], ["", "http://mlflow:5000"])
)


def is_refused_by_stages(volume: str, engine: str, spark: str, shards: int, server: str) -> bool:
    """Return whether a stage with all of these options refuses them."""
    options = {
        "data": VOLUMES[volume],
        "engine": ENGINES[engine],
        "spark_remote": spark or None,
        "shards": shards,
        "tracking_uri": server or None,
    }
    try:
        check_stage_options(options)
    except (InputError, typer.BadParameter):
        return True
    return False


@pytest.mark.parametrize(("volume", "engine", "spark", "shards", "server"), COMBINATIONS)
def test_a_combination_is_refused_by_both_or_by_neither(
    volume: str, engine: str, spark: str, shards: int, server: str
) -> None:
    environment = {
        "SODAI_VOLUME": volume,
        "SODAI_ENGINE": engine,
        "SODAI_SPARK": spark,
        "SODAI_SHARDS": str(shards),
        "MLFLOW_TRACKING_URI": server,
    }
    refusal = check_environment(environment)
    assert (refusal is not None) == is_refused_by_stages(volume, engine, spark, shards, server)


def test_some_combinations_are_refused_and_some_are_not() -> None:
    refused = [each for each in COMBINATIONS if is_refused_by_stages(*each)]
    assert 0 < len(refused) < len(COMBINATIONS)
