"""Where and how stages run, as the environment says: every name that the DAG reads stands here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOCKER, PROCESS = "docker", "process"
DEFAULT_SCHEDULE = "0 6 * * 1"
TIMEZONE = "America/Santiago"


@dataclass(frozen=True)
class Settings:
    """How stages run.

    `volume` is a folder (absolute path) or, with the docker runner, the name of a volume; `network`
    is the Docker network that reaches MLflow, none if empty; `python` and `code` serve the process
    runner.
    """

    runner: str
    volume: str
    network: str
    image_prefix: str
    image_tag: str
    tracking_uri: str
    python: str
    code: Path

    @property
    def is_folder(self) -> bool:
        """Whether the volume is a folder of this machine."""
        return self.volume.startswith("/")

    def image(self, stage: str) -> str:
        """The image of a stage."""
        return f"{self.image_prefix}{stage}:{self.image_tag}"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment.

    Raises:
        ValueError: SODAI_RUNNER is neither docker nor process.
    """
    runner = environment.get("SODAI_RUNNER", DOCKER)
    if runner not in (DOCKER, PROCESS):
        raise ValueError(f"SODAI_RUNNER: found {runner!r}, expected {DOCKER} or {PROCESS}")
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
    )


def schedule_from(environment: Mapping[str, str] = os.environ) -> str | None:
    """The cron expression of SODAI_SCHEDULE, Monday morning if unset, no schedule if empty."""
    return environment.get("SODAI_SCHEDULE", DEFAULT_SCHEDULE) or None
