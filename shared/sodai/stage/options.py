"""The command-line options that several stages share, and their defaults."""

from pathlib import Path
from typing import Annotated

import typer

from sodai.engines import EngineName
from sodai.runtime.environment import ENV_DATA, ENV_ENGINE, ENV_SPARK, ENV_TRACKING_URI

AUTO = "auto"
DEFAULT_DATA = Path("/data")
DEFAULT_HORIZON_DAYS = 7
DEFAULT_ENGINE = EngineName.DUCKDB

AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="DATE", help="First day to predict, YYYY-MM-DD; an exclusive cutoff."),
]
DataRoot = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar=ENV_DATA,
        metavar="FOLDER",
        help="Root of the shared volume: a folder, or s3://bucket/prefix.",
    ),
]
HorizonDays = Annotated[int, typer.Option("--horizon-days", min=1, max=28, help="Days to predict.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar=ENV_TRACKING_URI,
        metavar="URI",
        help="MLflow server; SQLite in the volume if not given.",
    ),
]
WhichEngine = Annotated[
    EngineName,
    typer.Option(
        "--engine", envvar=ENV_ENGINE, help="What computes the tables: DuckDB here, or a Spark cluster."
    ),
]
SparkRemote = Annotated[
    str | None,
    typer.Option(
        "--spark-remote",
        envvar=ENV_SPARK,
        metavar="URL",
        help="Spark Connect server of --engine spark, sc://spark-connect:15002 for example.",
    ),
]
MemoryLimit = Annotated[
    int | None,
    typer.Option(
        "--memory-limit",
        metavar="MIB",
        min=64,
        help="MiB that DuckDB may hold before it spills to disk; 60 % of the available memory by default.",
    ),
]
Force = Annotated[bool, typer.Option("--force/--no-force", help="Run even if nothing changed.")]
