"""Where and how stages run, as the environment says: every name that the DAG reads stands here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOCKER, PROCESS = "docker", "process"
DEFAULT_SCHEDULE = "0 6 * * 1"
TIMEZONE = "America/Santiago"
# What the stage takes too.
MOST_SHARDS = 1000
DUCKDB, SPARK = "duckdb", "spark"


@dataclass(frozen=True)
class Settings:
    """How stages run.

    `volume` is a folder (absolute path) or, with the docker runner, the name of a volume; `network`
    is the Docker network that reaches MLflow, none if empty; `python` and `code` serve the process
    runner; `shards` is the number of parts in which the candidates of a period are scored; `engine`
    computes the tables, `spark` is the address of its cluster, none if empty. `early_start` says that
    all tasks of a run are done by one process, which may start the next stage's early.
    """

    runner: str
    volume: str
    network: str
    image_prefix: str
    image_tag: str
    tracking_uri: str
    python: str
    code: Path
    shards: int
    early_start: bool
    engine: str
    spark: str

    @property
    def is_folder(self) -> bool:
        """Whether the volume is a folder of this machine."""
        return self.volume.startswith("/")

    def stage_environment(self) -> dict[str, str]:
        """What reaches every stage by its environment, whatever the runner."""
        told = {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "SODAI_ENGINE": self.engine,
            "SODAI_SPARK": self.spark,
        }
        return {name: value for name, value in told.items() if value}

    def image(self, stage: str) -> str:
        """The image of a stage."""
        return f"{self.image_prefix}{stage}:{self.image_tag}"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment.

    Raises:
        ValueError: SODAI_RUNNER is neither docker nor process, SODAI_SHARDS no number from 1 on, SODAI_ENGINE
            neither duckdb nor spark; or Spark is wanted without an address in SODAI_SPARK, or beside shards.
    """
    runner = environment.get("SODAI_RUNNER", DOCKER)
    if runner not in (DOCKER, PROCESS):
        raise ValueError(f"SODAI_RUNNER: found {runner!r}, expected {DOCKER} or {PROCESS}")
    shards = environment.get("SODAI_SHARDS") or "1"
    if not shards.isdecimal() or not 1 <= int(shards) <= MOST_SHARDS:
        raise ValueError(f"SODAI_SHARDS: found {shards!r}, expected a number from 1 to {MOST_SHARDS}")
    engine, spark = environment.get("SODAI_ENGINE") or DUCKDB, environment.get("SODAI_SPARK", "")
    if engine not in (DUCKDB, SPARK):
        raise ValueError(f"SODAI_ENGINE: found {engine!r}, expected {DUCKDB} or {SPARK}")
    if engine == SPARK and not spark.startswith("sc://"):
        raise ValueError(
            f"SODAI_SPARK: found {spark!r}, expected a Spark Connect server such as sc://spark-connect:15002"
        )
    if engine == SPARK and int(shards) > 1:
        raise ValueError(
            f"SODAI_SHARDS: found {shards} beside SODAI_ENGINE={SPARK}, which makes its own tasks; expected 1"
        )
    root = Path(__file__).resolve().parent.parent
    return Settings(
        runner=runner,
        volume=environment.get("SODAI_VOLUME", "sodai_data"),
        network=environment.get("SODAI_NETWORK", ""),
        image_prefix=environment.get("SODAI_IMAGE_PREFIX", "sodai/"),
        image_tag=environment.get("SODAI_IMAGE_TAG", "latest"),
        tracking_uri=environment.get("MLFLOW_TRACKING_URI", ""),
        python=environment.get("SODAI_PYTHON", str(root / ".venv/bin/python")),
        code=root,
        shards=int(shards),
        early_start=environment.get("SODAI_EARLY_START") == "1",
        engine=engine,
        spark=spark,
    )


def schedule_from(environment: Mapping[str, str] = os.environ) -> str | None:
    """The cron expression of SODAI_SCHEDULE, Monday morning if unset, no schedule if empty."""
    return environment.get("SODAI_SCHEDULE", DEFAULT_SCHEDULE) or None
