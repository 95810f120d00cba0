"""Stop the full stack, with the containers that its tasks started on this engine: `make down`."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from make_commands.commands import output_of
from make_commands.up import compose_config
from sodai_dag.settings import ROOT, SWARM

_TASK = "label=sodai.dag"
_WAIT_SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    """Stop the stack with command-line arguments and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", action="store_true", help="remove its data too")
    volumes = parser.parse_args(arguments).volumes
    try:
        config = compose_config()
        # The scheduler first: it would start again what is removed here.
        output_of("docker", "compose", "stop", "airflow-scheduler")
        environment = config["services"]["airflow-scheduler"]["environment"]
        names = {volume["name"] for volume in config["volumes"].values()}
        _remove_tasks({*names, environment["SODAI_VOLUME"]}, environment["SODAI_RUNNER"])
        command = ["docker", "compose", "--profile", "spark", "down", *(["--volumes"] if volumes else [])]
        if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return code
        if volumes:
            _check_removed(names)
    except OSError as error:
        print(f"down: {error}", file=sys.stderr)
        return 1
    return 0


def _remove_tasks(volumes: set[str], runner: str) -> None:
    """Remove the containers and services of tasks on the volumes; Compose does not know them.

    Raises:
        OSError: Docker refuses; the message is one line.
    """
    if runner == SWARM and (services := _services_on(volumes)):
        output_of("docker", "service", "rm", *services)
        _wait_until_ended(services)
    if containers := _containers(_TASK, *(f"volume={volume}" for volume in volumes)):
        output_of("docker", "rm", "--force", *containers)


def _services_on(volumes: set[str]) -> list[str]:
    services = output_of("docker", "service", "ls", "--quiet", "--filter", _TASK).split()
    if not services:
        return []
    return [
        service["ID"]
        for service in json.loads(output_of("docker", "service", "inspect", *services))
        for mount in service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Mounts", [])
        if mount.get("Source") in volumes
    ]


def _wait_until_ended(services: list[str]) -> None:
    """Wait for the containers of removed services on this engine: a swarm answers before they have ended."""
    end = time.monotonic() + _WAIT_SECONDS
    while any(_containers(f"label=com.docker.swarm.service.id={service}") for service in services):
        if time.monotonic() > end:
            raise OSError(f"services of the swarm still run {_WAIT_SECONDS} s after they were removed")
        time.sleep(0.5)


def _containers(*filters: str, form: str = "{{.ID}}") -> list[str]:
    options = [argument for one in filters for argument in ("--filter", one)]
    return output_of("docker", "ps", "--all", "--format", form, *options).split()


def _check_removed(names: set[str]) -> None:
    """Check that no volume is left: Compose keeps a volume that is in use, without a message.

    Raises:
        OSError: one is left; the message names the containers that use it.
    """
    for name in sorted(names & set(output_of("docker", "volume", "ls", "--quiet").split())):
        users = " ".join(_containers(f"volume={name}", form="{{.Names}}")) or "something else"
        raise OSError(
            f"the volume {name} still exists, used by {users}; remove that with docker rm --force, then run "
            "make down VOLUMES=1 again"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
