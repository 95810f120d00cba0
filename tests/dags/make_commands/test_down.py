"""Containers and services that `make down` removes though Compose does not know them, and what it reports."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dags.engine_runs import docker, swarm_of_this_engine
from sodai_dag.settings import ROOT

pytestmark = pytest.mark.docker

IMAGE = "sodai/create_features"
TASK = ("--label", "sodai.dag=sodai_recommendation_pipeline")


class UsedVolumes:
    """Volumes of a stack without services, and the containers that use them."""

    def __init__(self) -> None:
        self.stack = f"sodai-test-{uuid.uuid4().hex[:8]}"
        self.volume = f"{self.stack}_data"

    def use(self, volume: str, *options: str) -> str:
        """Start a container that does nothing but use a volume; return its name."""
        name = f"{self.stack}-{uuid.uuid4().hex[:8]}"
        docker(
            "run", "--detach", "--name", name, *options, "--volume", f"{volume}:/data",
            "--entrypoint", "sleep", IMAGE, "300",
        )  # fmt: skip
        return name

    def containers(self) -> set[str]:
        """Return the names of those containers that exist."""
        names = docker("ps", "--all", "--filter", f"name={self.stack}-", "--format", "{{.Names}}")
        return set(names.split())

    def volumes(self) -> set[str]:
        """Return the volumes that exist."""
        return set(docker("volume", "ls", "--quiet", "--filter", f"name={self.stack}").split())

    def down(self, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Stop the stack."""
        return subprocess.run(
            [ROOT / ".venv/bin/python", "-P", "-m", "make_commands.down", *options],
            env={**os.environ, "PYTHONPATH": str(ROOT / "dags"), "SODAI_STACK": self.stack, **env},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def used() -> Iterator[UsedVolumes]:
    used = UsedVolumes()
    yield used
    if containers := used.containers():
        docker("rm", "--force", *containers)
    if volumes := used.volumes():
        docker("volume", "rm", *volumes)


def test_leftovers_of_tasks_are_removed_and_those_of_others_stay(used: UsedVolumes) -> None:
    used.use(used.volume, *TASK)
    stopped = used.use(used.volume, *TASK)
    docker("kill", stopped)
    others = {used.use(f"{used.stack}-other", *TASK), used.use(f"{used.stack}-other")}

    done = used.down()

    assert (done.returncode, used.containers()) == (0, others), done.stderr
    assert used.volumes() == {used.volume, f"{used.stack}-other"}


def test_with_volumes_nothing_of_a_stack_is_left(used: UsedVolumes) -> None:
    used.use(used.volume, *TASK)
    done = used.down("--volumes")
    assert (done.returncode, used.containers(), used.volumes()) == (0, set(), set()), done.stderr


def test_a_volume_that_is_in_use_is_reported_with_its_user(used: UsedVolumes) -> None:
    own = used.use(used.volume)

    done = used.down("--volumes")

    assert (done.returncode, used.containers()) == (1, {own})
    assert done.stderr.splitlines()[-1] == (
        f"down: the volume {used.volume} still exists, used by {own}; remove that with docker rm --force, "
        "then run make down VOLUMES=1 again"
    )


def test_tasks_on_a_folder_are_removed_too(used: UsedVolumes, tmp_path: Path) -> None:
    used.use(str(tmp_path), *TASK)
    done = used.down(SODAI_VOLUME=str(tmp_path))
    assert (done.returncode, used.containers()) == (0, set()), done.stderr


def test_services_of_a_swarm_are_removed_with_their_containers(used: UsedVolumes, tmp_path: Path) -> None:
    def serve(mount: str, *options: str) -> str:
        return docker(
            "service", "create", "--quiet", *options, *TASK,
            "--restart-condition", "none", "--stop-grace-period", "1s",
            "--mount", f"{mount},target=/data", "--entrypoint", "sleep", IMAGE, "300",
        ).strip()[:12]  # fmt: skip

    with swarm_of_this_engine():
        own = serve(f"type=volume,source={used.volume}")
        other = serve(f"type=bind,source={tmp_path}", "--detach")
        try:
            done = used.down("--volumes", SODAI_RUNNER="swarm")
            services = docker("service", "ls", "--quiet", "--filter", "label=sodai.dag").split()
        finally:
            docker("service", "rm", other)
    assert (done.returncode, used.volumes()) == (0, set()), done.stderr
    assert (own in services, other in services) == (False, True)
