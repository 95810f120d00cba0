"""Takes the full stack down, with what its tasks run on this engine: what `make down` calls."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from run_stack import composed, output_of
from run_volume import ROOT
from sodai_settings import SWARM

_TASK = "label=sodai.dag"
_WAIT_SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    """Take the stack down with command-line arguments; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", action="store_true", help="remove what it stored too")
    volumes = parser.parse_args(arguments).volumes
    try:
        config = composed()
        # First, or it would start what is removed here once more.
        output_of("docker", "compose", "stop", "airflow-scheduler")
        told = config["services"]["airflow-scheduler"]["environment"]
        names = {volume["name"] for volume in config["volumes"].values()}
        _remove_tasks({*names, told["SODAI_VOLUME"]}, told["SODAI_RUNNER"])
        command = ["docker", "compose", "--profile", "spark", "down", *(["--volumes"] if volumes else [])]
        if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return code
        if volumes:
            _refuse_left(names)
    except OSError as error:
        print(f"down: {error}", file=sys.stderr)
        return 1
    return 0


def _remove_tasks(volumes: set[str], runner: str) -> None:
    """Remove what runs stages on one of the volumes, which Compose does not know.

    Raises:
        OSError: Docker refuses; the message is one line.
    """
    if runner == SWARM and (services := _services_on(volumes)):
        output_of("docker", "service", "rm", *services)
        _wait_for_the_end_of(services)
    if containers := _containers(_TASK, *(f"volume={volume}" for volume in volumes)):
        output_of("docker", "rm", "--force", *containers)


def _services_on(volumes: set[str]) -> list[str]:
    listed = output_of("docker", "service", "ls", "--quiet", "--filter", _TASK).split()
    if not listed:
        return []
    return [
        service["ID"]
        for service in json.loads(output_of("docker", "service", "inspect", *listed))
        for mount in service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Mounts", [])
        if mount.get("Source") in volumes
    ]


def _wait_for_the_end_of(services: list[str]) -> None:
    """A swarm gives its answer before the containers are gone, those of this engine among them."""
    end = time.monotonic() + _WAIT_SECONDS
    while any(_containers(f"label=com.docker.swarm.service.id={service}") for service in services):
        if time.monotonic() > end:
            raise OSError(f"services of the swarm still run {_WAIT_SECONDS} s after they were removed")
        time.sleep(0.5)


def _containers(*filters: str, form: str = "{{.ID}}") -> list[str]:
    wanted = [argument for one in filters for argument in ("--filter", one)]
    return output_of("docker", "ps", "--all", "--format", form, *wanted).split()


def _refuse_left(names: set[str]) -> None:
    """Compose keeps a volume that is in use without a word.

    Raises:
        OSError: one is left; the message names what holds it.
    """
    for name in sorted(names & set(output_of("docker", "volume", "ls", "--quiet").split())):
        holders = " ".join(_containers(f"volume={name}", form="{{.Names}}")) or "something"
        raise OSError(
            f"the volume {name} is still there, held by {holders}, expected none; remove that with "
            "docker rm --force, then run make down VOLUMES=1 again"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
