"""Brings the full stack up and its input: what `make up` calls."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_volume import ROOT, DockerVolume, bring, is_object_store, parquet_names
from sodai_settings import DOCKER, PROCESS, SWARM

_LOG = ROOT / ".cache/up.log"
_SHOWN_LINES = 20


@dataclass(frozen=True)
class Stack:
    """What Compose makes of docker-compose.yml, .env and the environment.

    `volume` is what its tasks are told as SODAI_VOLUME, `image` that of the stage which reads raw/ there.
    """

    volume: str
    image: str
    airflow_port: str
    mlflow_port: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Stack":
        """The stack of what `docker compose config` prints.

        Raises:
            OSError: its tasks would be processes, whose packages the image of Airflow has not.
        """
        services = config["services"]
        told = services["airflow-scheduler"]["environment"]
        if told["SODAI_RUNNER"] == PROCESS:
            raise OSError(f"SODAI_RUNNER: found {PROCESS}, expected {DOCKER} or {SWARM} in the full stack")
        return cls(
            told["SODAI_VOLUME"],
            f"{told['SODAI_IMAGE_PREFIX']}extract_and_validate_data:{told['SODAI_IMAGE_TAG']}",
            services["airflow-apiserver"]["ports"][0]["published"],
            services["mlflow"]["ports"][0]["published"],
        )

    def load(self, source: Path | None) -> str:
        """Bring input into the volume; gives what the DAG reads then, in words.

        Raises:
            OSError: see `run_volume.bring`; or a folder is to be brought to an object store.
        """
        if not is_object_store(self.volume):
            return bring(DockerVolume(self.volume, self.image), source)
        if source is not None:
            raise OSError(
                f"SODAI_VOLUME is {self.volume}, expected a volume of Docker or a folder; to an object store "
                "python -m sodai.object_store load brings files"
            )
        return f"what {self.volume}/raw holds"


def main(arguments: Sequence[str]) -> int:
    """Bring the stack up with command-line arguments; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder laid out like raw/; none for what raw/ holds")
    source = parser.parse_args(arguments).data
    try:
        if source is not None:
            parquet_names(source)
        stack = Stack.of(composed())
        # Compose makes the volumes, and the input is there before anything looks for it.
        _compose("create", "--no-recreate", "airflow-init")
        print(f"up: input is {stack.load(source)}", flush=True)
        _compose("up", "--detach", "--wait", "--wait-timeout", "300")
    except OSError as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    airflow = f"http://localhost:{stack.airflow_port}"
    print(f"up: Airflow on {airflow}, user admin, password AIRFLOW_ADMIN_PASSWORD of .env")
    print(f"up: MLflow on http://localhost:{stack.mlflow_port}; data in {stack.volume}")
    return 0


def composed() -> dict[str, Any]:
    """What `docker compose config` prints, once .env holds all that it reads.

    Raises:
        OSError: .env cannot be completed, or Compose refuses it; the message is one line.
    """
    output_of("images/secrets.sh")
    config: dict[str, Any] = json.loads(output_of("docker", "compose", "config", "--format", "json"))
    return config


def output_of(*command: str) -> str:
    """What a command in the project's folder prints.

    Raises:
        OSError: it failed; the message is the last line that it said.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"{' '.join(command)}: exit code {done.returncode}"]
        raise OSError(told[-1])
    return done.stdout


def _compose(*arguments: str) -> None:
    """Run Compose; its progress, which says nothing but that services wait for each other, goes to a file.

    Raises:
        OSError: it failed; the end of that file is printed.
    """
    _LOG.parent.mkdir(exist_ok=True)
    with _LOG.open("w", encoding="utf-8") as log:
        command = ["docker", "compose", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(*_LOG.read_text(encoding="utf-8").splitlines()[-_SHOWN_LINES:], sep="\n", file=sys.stderr)
        raise OSError(
            f"docker compose {arguments[0]} failed; docker compose ps and docker compose logs say why"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
