"""Runs of stages on a Docker engine, for the tests of both operators that use one."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dags.conftest import PARAMS, Airflow, Week, wait_until

DAG_ID = "sodai_recommendation_pipeline"
EXTRACT, FEATURES = "extract_and_validate_data", "create_features"
# Neither root nor the user of the images.
OWNER = 4321
GIB = 2**30
_BRIDGE = "docker_gwbridge"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Run:
    """The stages of one run of the DAG on a volume, as containers or as services of a swarm."""

    def __init__(self, airflow: Airflow, week: Week, runner: str) -> None:
        self.airflow, self.week, self.runner = airflow, week, runner
        self.run_id = f"test__{uuid.uuid4()}"

    def begin(self, stage: str, env: dict[str, str] | None = None, **more: Any) -> None:
        """Start the task of a stage."""
        environment = {"SODAI_RUNNER": self.runner, "SODAI_VOLUME": str(self.week.root), **(env or {})}
        arguments = {"as_of": self.week.as_of, "params": PARAMS, "run_id": self.run_id, **more}
        self.airflow.begin("execute", environment, stage=stage, **arguments)

    def execute(self, stage: str, **more: Any) -> dict[str, Any]:
        """Run the task of a stage and return how it ended."""
        self.begin(stage, **more)
        outcome: dict[str, Any] = self.airflow.answer()
        return outcome

    def begin_in_the_middle(self, env: dict[str, str] | None = None) -> str:
        """Return the container or service of a create_features that is in the middle of its work."""
        self.begin(FEATURES, env)
        wait_until(lambda: self.week.being_written)
        (identifier,) = self.leftovers()
        return identifier

    def container_of(self, identifier: str) -> str:
        """Return the container that runs a service; a container itself."""
        if self.runner != "swarm":
            return identifier
        service = docker("service", "inspect", "--format", "{{.ID}}", identifier).strip()
        (container,) = docker(
            "ps", "--quiet", "--filter", f"label=com.docker.swarm.service.id={service}"
        ).split()
        return container

    def leftovers(self) -> list[str]:
        """Return the containers or services of the run, running or not."""
        listing = ["service", "ls"] if self.runner == "swarm" else ["ps", "--all"]
        return docker(*listing, "--quiet", "--filter", f"label=sodai.run={self.run_id}").split()


@contextmanager
def run_on(airflow: Airflow, week: Week, runner: str) -> Iterator[Run]:
    """Yield a run whose volume belongs to OWNER where that is possible; remove what it leaves."""
    if os.getuid() == 0:
        for path in [week.root, *week.root.rglob("*")]:
            os.chown(path, OWNER, OWNER)
    run = Run(airflow, week, runner)
    yield run
    if leftovers := run.leftovers():
        docker(*(["service", "rm"] if runner == "swarm" else ["rm", "--force"]), *leftovers)


@contextmanager
def swarm_of_this_engine() -> Iterator[None]:
    """Run a swarm of this engine alone, unless it is in one already; restore the engine afterwards."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "active":
        yield
        return
    before = _networks()
    docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    try:
        yield
    finally:
        docker("swarm", "leave", "--force")
        # Leaving removes the network of the services, but not the bridge that joined them to this host.
        if _BRIDGE in _networks() - before:
            docker("network", "rm", _BRIDGE)


def _networks() -> set[str]:
    return set(docker("network", "ls", "--format", "{{.Name}}").split())
