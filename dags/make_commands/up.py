"""Start the full stack and load its input: `make up`."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from make_commands.commands import output_of
from make_commands.input_volume import DockerVolume, add_input, parquet_names
from sodai_dag.settings import DOCKER, PROCESS, ROOT, SWARM, is_object_store
from sodai_dag.stages import EXTRACT

_LOG = ROOT / ".cache/up.log"
_SHOWN_LINES = 20


@dataclass(frozen=True)
class Stack:
    """The full stack, as Compose reads it from docker-compose.yml, .env and the environment.

    Attributes:
        volume: SODAI_VOLUME of its tasks.
        image: image of the stage that reads raw/ of the volume.
        airflow_port: port of Airflow on this machine.
        mlflow_port: port of MLflow on this machine.
    """

    volume: str
    image: str
    airflow_port: str
    mlflow_port: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Stack":
        """Return the stack of the output of `docker compose config`.

        Raises:
            OSError: its tasks would be processes; the image of Airflow does not contain their packages.
        """
        services = config["services"]
        environment = services["airflow-scheduler"]["environment"]
        if environment["SODAI_RUNNER"] == PROCESS:
            raise OSError(f"SODAI_RUNNER: found {PROCESS}, expected {DOCKER} or {SWARM} in the full stack")
        return cls(
            environment["SODAI_VOLUME"],
            f"{environment['SODAI_IMAGE_PREFIX']}{EXTRACT}:{environment['SODAI_IMAGE_TAG']}",
            services["airflow-apiserver"]["ports"][0]["published"],
            services["mlflow"]["ports"][0]["published"],
        )

    def add_input(self, source: Path | None) -> str:
        """Add input to the volume and return what the DAG reads then, in words.

        Raises:
            OSError: see `input_volume.add_input`; or the volume is on an object store and gets a folder.
        """
        if not is_object_store(self.volume):
            return add_input(DockerVolume(self.volume, self.image), source)
        if source is not None:
            raise OSError(
                f"SODAI_VOLUME: found {self.volume}, expected a Docker volume or a folder; add files to an "
                f"object store with python -m sodai.object_store load {source} {self.volume}"
            )
        return f"the files in {self.volume}/raw"


def main(arguments: Sequence[str]) -> int:
    """Start the stack with command-line arguments and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder laid out like raw/; by default what raw/ contains")
    source = parser.parse_args(arguments).data
    try:
        if source is not None:
            parquet_names(source)
        stack = Stack.from_config(compose_config())
        # Compose creates the volumes, and the input is there before a service reads it.
        _compose("create", "--no-recreate", "airflow-init")
        print(f"up: input is {stack.add_input(source)}", flush=True)
        _compose("up", "--detach", "--wait", "--wait-timeout", "300")
    except OSError as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    airflow = f"http://localhost:{stack.airflow_port}"
    print(f"up: Airflow on {airflow}, user admin, password AIRFLOW_ADMIN_PASSWORD of .env")
    print(f"up: MLflow on http://localhost:{stack.mlflow_port}; data in {stack.volume}")
    return 0


def compose_config() -> dict[str, Any]:
    """Return the output of `docker compose config`, after adding missing secrets to .env.

    Raises:
        OSError: .env cannot be completed, or Compose refuses it; the message is one line.
    """
    output_of("images/secrets.sh")
    config: dict[str, Any] = json.loads(output_of("docker", "compose", "config", "--format", "json"))
    return config


def _compose(*arguments: str) -> None:
    """Run Compose; its progress, a line each time that a service waits for another, goes to a file.

    Raises:
        OSError: it failed; the end of that file is printed.
    """
    _LOG.parent.mkdir(exist_ok=True)
    with _LOG.open("w", encoding="utf-8") as log:
        command = ["docker", "compose", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(*_LOG.read_text(encoding="utf-8").splitlines()[-_SHOWN_LINES:], sep="\n", file=sys.stderr)
        raise OSError(f"docker compose {arguments[0]} failed; see docker compose ps and docker compose logs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
