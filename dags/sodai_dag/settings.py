"""Where and how stages run: the settings of the environment, each name defined here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sodai_dag.stages import SCORE, STAGES

# The project; in the image of Airflow, the folder above dags/.
ROOT = Path(__file__).resolve().parents[2]
DOCKER, PROCESS, SWARM = "docker", "process", "swarm"
DUCKDB, SPARK = "duckdb", "spark"
DEFAULT_SCHEDULE = "0 6 * * 1"
TIMEZONE = "America/Santiago"
# The same bound as that of the stage's option.
MAX_SHARDS = 1000
# Variables that give access to an object store. A stage gets them unchanged, as its libraries read them.
OBJECT_STORE_NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
)
# Tasks that may have an engine of their own.
_TASKS = (*STAGES, SCORE)
_OBJECT_STORE = "s3://"
# MLflow stores that are files.
_FILE_STORES = ("sqlite", "file:")
_ENGINE_ADDRESSES = ("tcp://", "unix://")


def is_object_store(volume: str) -> bool:
    """Return whether a volume of this name is on an object store."""
    return volume.startswith(_OBJECT_STORE)


@dataclass(frozen=True)
class Settings:
    """The settings that decide how stages run.

    Attributes:
        runner: `docker`, `process` or `swarm`.
        volume: absolute path of a folder, name of a Docker volume, or URL of an object store.
        cache: with an object store, the volume or folder of each host that keeps fetched files.
        network: Docker network of the stages; see `network_mode` if empty.
        image_prefix: start of the names of the images.
        image_tag: tag of the images.
        tracking_uri: MLflow's address; a database on the volume if empty.
        python: interpreter of the stages, for the process runner.
        shards: number of shards in which the candidates are scored.
        engine: `duckdb` or `spark`.
        spark: address of the Spark Connect server; empty without one.
        object_store: variables that give access to the object store.
        docker_hosts: Docker engine by task id; other tasks run on the engine of DOCKER_HOST.
        certificates: folder with ca.pem, cert.pem and key.pem for engines reached by TCP; empty without TLS.
    """

    runner: str
    volume: str
    cache: str
    network: str
    image_prefix: str
    image_tag: str
    tracking_uri: str
    python: str
    shards: int
    engine: str
    spark: str
    object_store: Mapping[str, str] = field(repr=False)
    docker_hosts: Mapping[str, str]
    certificates: str

    @property
    def is_object_store(self) -> bool:
        """Return whether the volume is on an object store."""
        return is_object_store(self.volume)

    @property
    def mounted(self) -> str:
        """Return the volume or folder of the host that a stage sees as /data."""
        return self.cache if self.is_object_store else self.volume

    @property
    def is_folder(self) -> bool:
        """Return whether `mounted` is a folder of this machine."""
        return self.mounted.startswith("/")

    @property
    def network_mode(self) -> str:
        """Return the Docker network of a stage: by default `bridge` if it needs a server, else `none`."""
        if self.network:
            return self.network
        is_server = "://" in self.tracking_uri and not self.tracking_uri.startswith(_FILE_STORES)
        return "bridge" if is_server or self.is_object_store or self.engine == SPARK else "none"

    @property
    def stage_environment(self) -> dict[str, str]:
        """Return the environment variables of a stage, without secrets."""
        variables = {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "SODAI_ENGINE": self.engine,
            "SODAI_SPARK": self.spark,
            "SODAI_DATA": self.volume if self.is_object_store else "",
        }
        return {name: value for name, value in variables.items() if value}

    def engine_options(self, task: str) -> dict[str, Any]:
        """Return the arguments of DockerOperator that select the engine of a task; empty for the default."""
        address = self.docker_hosts.get(task)
        if address is None:
            return {}
        options = {"docker_url": address}
        if self.certificates and address.startswith("tcp://"):
            folder = Path(self.certificates)
            options["tls_ca_cert"] = str(folder / "ca.pem")
            options["tls_client_cert"] = str(folder / "cert.pem")
            options["tls_client_key"] = str(folder / "key.pem")
        return options

    def image(self, stage: str) -> str:
        """Return the image of a stage."""
        return f"{self.image_prefix}{stage}:{self.image_tag}"


def check_settings(environment: Mapping[str, str]) -> str | None:
    """Return why a combination of settings is impossible, in one line; None if it is possible.

    Args:
        environment: SODAI_VOLUME, SODAI_ENGINE, SODAI_SPARK, SODAI_SHARDS and MLFLOW_TRACKING_URI; others are
            ignored.
    """
    volume, spark = environment.get("SODAI_VOLUME", ""), environment.get("SODAI_SPARK", "")
    is_spark, shards = environment.get("SODAI_ENGINE") == SPARK, environment.get("SODAI_SHARDS") or "1"
    if is_spark and not spark.startswith("sc://"):
        return (
            f"SODAI_SPARK: found {spark!r}, expected a Spark Connect server such as sc://spark-connect:15002"
        )
    if is_spark and is_object_store(volume):
        return (
            f"SODAI_ENGINE: found {SPARK} with SODAI_VOLUME={volume}, expected {DUCKDB}, or a volume or "
            "folder that the workers of the cluster see too"
        )
    if is_spark and shards != "1":
        return (
            f"SODAI_SHARDS: found {shards} with SODAI_ENGINE={SPARK}, expected 1: the cluster creates its "
            "own tasks"
        )
    if is_object_store(volume) and not environment.get("MLFLOW_TRACKING_URI"):
        return (
            f"MLFLOW_TRACKING_URI: not set, expected an MLflow server: {volume} is an object store, which "
            "cannot hold MLflow's database"
        )
    return None


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of an environment.

    Raises:
        ValueError: a setting has an impossible value, or the combination is impossible; one line.
    """
    runner = environment.get("SODAI_RUNNER", DOCKER)
    if runner not in (DOCKER, PROCESS, SWARM):
        raise ValueError(f"SODAI_RUNNER: found {runner!r}, expected {DOCKER}, {PROCESS} or {SWARM}")
    shards = environment.get("SODAI_SHARDS") or "1"
    if not shards.isdecimal() or not 1 <= int(shards) <= MAX_SHARDS:
        raise ValueError(f"SODAI_SHARDS: found {shards!r}, expected a number from 1 to {MAX_SHARDS}")
    engine = environment.get("SODAI_ENGINE") or DUCKDB
    if engine not in (DUCKDB, SPARK):
        raise ValueError(f"SODAI_ENGINE: found {engine!r}, expected {DUCKDB} or {SPARK}")
    if error := check_settings(environment):
        raise ValueError(error)
    return Settings(
        runner=runner,
        volume=environment.get("SODAI_VOLUME", "sodai_data"),
        cache=environment.get("SODAI_CACHE") or "sodai_cache",
        network=environment.get("SODAI_NETWORK", ""),
        image_prefix=environment.get("SODAI_IMAGE_PREFIX", "sodai/"),
        image_tag=environment.get("SODAI_IMAGE_TAG", "latest"),
        tracking_uri=environment.get("MLFLOW_TRACKING_URI", ""),
        python=environment.get("SODAI_PYTHON", str(ROOT / ".venv/bin/python")),
        shards=int(shards),
        engine=engine,
        spark=environment.get("SODAI_SPARK", ""),
        object_store={name: value for name in OBJECT_STORE_NAMES if (value := environment.get(name))},
        docker_hosts=_docker_hosts(environment.get("SODAI_DOCKER_HOSTS", "")),
        certificates=environment.get("DOCKER_CERT_PATH", ""),
    )


def _docker_hosts(text: str) -> dict[str, str]:
    engines = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        task, _, address = entry.partition("=")
        if task not in _TASKS or not address.startswith(_ENGINE_ADDRESSES):
            raise ValueError(
                f"SODAI_DOCKER_HOSTS: found {entry!r}, expected task=address, an address that begins with "
                f"{' or '.join(_ENGINE_ADDRESSES)}, a task of {', '.join(_TASKS)}"
            )
        engines[task] = address
    return engines


def schedule_from(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the cron expression of SODAI_SCHEDULE: Monday morning if unset, None if empty."""
    return environment.get("SODAI_SCHEDULE", DEFAULT_SCHEDULE) or None
