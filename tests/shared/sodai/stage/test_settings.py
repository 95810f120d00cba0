"""Options that exclude each other are refused before anything is read."""

from pathlib import Path
from typing import Any

import pytest
import typer

from sodai.engines import EngineName
from sodai.errors import InputError
from sodai.stage.settings import check_settings

FOLDER, BUCKET = Path("/data"), Path("s3:/bucket/sodai")
REMOTE = "sc://spark-connect:15002"


@pytest.mark.parametrize(
    "options",
    [
        {"data": FOLDER},
        {"data": FOLDER, "tracking_uri": None},
        {"data": BUCKET},
        {"data": BUCKET, "tracking_uri": "http://mlflow:5000", "engine": EngineName.DUCKDB},
        {"data": FOLDER, "engine": EngineName.SPARK, "spark_remote": REMOTE},
        {"data": FOLDER, "shards": 3, "shard": 2},
    ],
)
def test_options_that_fit_together_pass(options: dict[str, Any]) -> None:
    check_settings(options)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (
            {"data": BUCKET, "tracking_uri": None},
            InputError,
            "^--tracking-uri: not given, expected an MLflow server: s3://bucket/sodai is an object store",
        ),
        (
            {"data": BUCKET, "engine": EngineName.SPARK, "spark_remote": REMOTE},
            InputError,
            "^--engine: found spark, expected duckdb: s3://bucket/sodai is an object store",
        ),
        (
            {"data": FOLDER, "engine": EngineName.SPARK, "spark_remote": None},
            InputError,
            "^--spark-remote: found nothing, nor SODAI_SPARK, expected the address",
        ),
        (
            {"data": FOLDER, "engine": EngineName.SPARK, "spark_remote": "http://spark"},
            InputError,
            "^--spark-remote: found http://spark, expected the address",
        ),
        (
            {"data": FOLDER, "engine": EngineName.SPARK, "spark_remote": REMOTE, "shards": 2},
            typer.BadParameter,
            "--shards: a Spark cluster splits the work itself",
        ),
        (
            {"data": FOLDER, "shards": 3, "shard": 3},
            typer.BadParameter,
            "--shard 3, expected 0 to 2 for --shards 3",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        check_settings(options)
