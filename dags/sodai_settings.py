"""Where and how stages run, as the environment says: every name that the DAG reads stands here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sodai_arguments import STAGES

DOCKER, PROCESS, SWARM = "docker", "process", "swarm"
DEFAULT_SCHEDULE = "0 6 * * 1"
TIMEZONE = "America/Santiago"
# What reaches an object store: read by the libraries of a stage, so that it gets them as they are.
OBJECT_STORE_NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
)
# Tasks that are containers: the stages, and the scoring of shards.
TASKS = (*STAGES, "score_candidates")
_OBJECT_STORE = "s3://"
# MLflow's stores that are files.
_LOCAL = ("sqlite", "file:")
_ADDRESSES = ("tcp://", "unix://")
# What the stage takes too.
MOST_SHARDS = 1000
DUCKDB, SPARK = "duckdb", "spark"


@dataclass(frozen=True)
class Settings:
    """How stages run.

    `volume` is a folder (absolute path), with the docker runner the name of a volume, or the URL of an
    object store; then `cache` is the volume (or folder) of each host that keeps what its stages brought,
    and `object_store` the variables that reach the store. `network` is the Docker network that reaches
    MLflow, see `network_mode` if empty; `python` and `code` serve the process runner; `shards` is the number
    of parts in which the candidates of a period are scored; `engine` computes the tables, `spark` is the
    address of its cluster, none if empty. `docker_hosts` are the Docker engines of other hosts by task id; a
    task that is not named runs on the engine that DOCKER_HOST names. `certificates` is the folder with
    ca.pem, cert.pem and key.pem for engines that are reached by TCP; none if empty.
    """

    runner: str
    volume: str
    cache: str
    network: str
    image_prefix: str
    image_tag: str
    tracking_uri: str
    python: str
    code: Path
    shards: int
    engine: str
    spark: str
    object_store: Mapping[str, str] = field(repr=False)
    docker_hosts: Mapping[str, str]
    certificates: str

    @property
    def is_object_store(self) -> bool:
        """Whether the volume is on an object store."""
        return self.volume.startswith(_OBJECT_STORE)

    @property
    def mounted(self) -> str:
        """The volume or folder of the host that a stage sees as /data."""
        return self.cache if self.is_object_store else self.volume

    @property
    def is_folder(self) -> bool:
        """Whether that is a folder of this machine."""
        return self.mounted.startswith("/")

    @property
    def network_mode(self) -> str:
        """The Docker network of a stage: where none is named, Docker's own if a server is to be reached."""
        if self.network:
            return self.network
        is_server = "://" in self.tracking_uri and not self.tracking_uri.startswith(_LOCAL)
        return "bridge" if is_server or self.is_object_store or self.engine == SPARK else "none"

    @property
    def stage_environment(self) -> dict[str, str]:
        """What a stage is told by its environment, secrets aside."""
        told = {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "SODAI_ENGINE": self.engine,
            "SODAI_SPARK": self.spark,
            "SODAI_DATA": self.volume if self.is_object_store else "",
        }
        return {name: value for name, value in told.items() if value}

    def engine_options(self, task: str) -> dict[str, Any]:
        """The engine of a task, as DockerOperator takes it; its own choice where none is named."""
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
        """The image of a stage."""
        return f"{self.image_prefix}{stage}:{self.image_tag}"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment.

    Raises:
        ValueError: SODAI_RUNNER is none of docker, process and swarm, SODAI_SHARDS no number from 1 on,
            SODAI_ENGINE neither duckdb nor spark, SODAI_DOCKER_HOSTS no list of tasks and addresses; or
            Spark is wanted without an address in SODAI_SPARK, beside shards or on an object store.
    """
    runner = environment.get("SODAI_RUNNER", DOCKER)
    if runner not in (DOCKER, PROCESS, SWARM):
        raise ValueError(f"SODAI_RUNNER: found {runner!r}, expected {DOCKER}, {PROCESS} or {SWARM}")
    shards = environment.get("SODAI_SHARDS") or "1"
    if not shards.isdecimal() or not 1 <= int(shards) <= MOST_SHARDS:
        raise ValueError(f"SODAI_SHARDS: found {shards!r}, expected a number from 1 to {MOST_SHARDS}")
    volume = environment.get("SODAI_VOLUME", "sodai_data")
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
    if engine == SPARK and volume.startswith(_OBJECT_STORE):
        raise ValueError(
            f"SODAI_ENGINE: found {SPARK} beside SODAI_VOLUME={volume}, expected a volume or folder that the "
            "workers of the cluster see too"
        )
    root = Path(__file__).resolve().parent.parent
    return Settings(
        runner=runner,
        volume=volume,
        cache=environment.get("SODAI_CACHE") or "sodai_cache",
        network=environment.get("SODAI_NETWORK", ""),
        image_prefix=environment.get("SODAI_IMAGE_PREFIX", "sodai/"),
        image_tag=environment.get("SODAI_IMAGE_TAG", "latest"),
        tracking_uri=environment.get("MLFLOW_TRACKING_URI", ""),
        python=environment.get("SODAI_PYTHON", str(root / ".venv/bin/python")),
        code=root,
        shards=int(shards),
        engine=engine,
        spark=spark,
        object_store={name: value for name in OBJECT_STORE_NAMES if (value := environment.get(name))},
        docker_hosts=_docker_hosts(environment.get("SODAI_DOCKER_HOSTS", "")),
        certificates=environment.get("DOCKER_CERT_PATH", ""),
    )


def _docker_hosts(text: str) -> dict[str, str]:
    engines = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        task, _, address = entry.partition("=")
        if task not in TASKS or not address.startswith(_ADDRESSES):
            raise ValueError(
                f"SODAI_DOCKER_HOSTS: found {entry!r}, expected task=address, an address that begins with "
                f"{' or '.join(_ADDRESSES)}, a task of {', '.join(TASKS)}"
            )
        engines[task] = address
    return engines


def schedule_from(environment: Mapping[str, str] = os.environ) -> str | None:
    """The cron expression of SODAI_SCHEDULE, Monday morning if unset, no schedule if empty."""
    return environment.get("SODAI_SCHEDULE", DEFAULT_SCHEDULE) or None
