"""Combinations of options that cannot work, refused before a stage reads anything."""

from collections.abc import Mapping
from typing import Any

import typer

from sodai.engines import EngineName
from sodai.errors import InputError
from sodai.object_store.backend import is_url, url_of
from sodai.runtime.environment import ENV_SPARK, ENV_TRACKING_URI


def check_settings(options: Mapping[str, Any]) -> None:
    """Refuse options that exclude each other; options that a stage does not have are ignored.

    Raises:
        InputError: the volume is an object store and there is no MLflow server or the engine is Spark, or
            Spark is asked for without the address of its server.
        typer.BadParameter: the shard does not exist, or shards are combined with Spark.
    """
    spark = options.get("engine") is EngineName.SPARK
    if is_url(options["data"]):
        _check_object_store(url_of(options["data"]), options, spark)
    shard, shards = options.get("shard"), options.get("shards", 1)
    if shard is not None and shard >= shards:
        raise typer.BadParameter(f"--shard {shard}, expected 0 to {shards - 1} for --shards {shards}")
    if spark and shards > 1:
        raise typer.BadParameter("--shards: a Spark cluster splits the work itself; leave one of the two out")
    remote = options.get("spark_remote") or ""
    if spark and not remote.startswith("sc://"):
        raise InputError(
            f"--spark-remote: found {remote or f'nothing, nor {ENV_SPARK}'}, expected the address of a Spark "
            "Connect server such as sc://spark-connect:15002; give it or leave --engine out"
        )


def _check_object_store(url: str, options: Mapping[str, Any], spark: bool) -> None:
    if not options.get("tracking_uri", "not needed"):
        raise InputError(
            f"--tracking-uri: not given, expected an MLflow server: {url} is an object store, which cannot "
            f"hold MLflow's database; set {ENV_TRACKING_URI}"
        )
    if spark:
        raise InputError(
            f"--engine: found spark, expected duckdb: {url} is an object store, and a cluster does not see "
            "the copy that a stage works on; give --data a folder that the workers see too"
        )
