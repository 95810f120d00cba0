"""What `make down` takes along of what Compose does not know, and what it tells of what is left."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dags.engine_runs import docker, swarm_of_this_engine
from run_volume import ROOT

pytestmark = pytest.mark.docker

IMAGE = "sodai/create_features"
TASK = ("--label", "sodai.dag=sodai_recommendation_pipeline")


class Held:
    """Volumes of a stack that has no services, and what holds them."""

    def __init__(self) -> None:
        self.stack = f"sodai-test-{uuid.uuid4().hex[:8]}"
        self.volume = f"{self.stack}_data"

    def hold(self, volume: str, *options: str) -> str:
        """A container that does nothing but hold a volume; gives its name."""
        name = f"{self.stack}-{uuid.uuid4().hex[:8]}"
        docker(
            "run", "--detach", "--name", name, *options, "--volume", f"{volume}:/data",
            "--entrypoint", "sleep", IMAGE, "300",
        )  # fmt: skip
        return name

    def holders(self) -> set[str]:
        """What of that there is."""
        listed = docker("ps", "--all", "--filter", f"name={self.stack}-", "--format", "{{.Names}}")
        return set(listed.split())

    def volumes(self) -> set[str]:
        """The volumes there are."""
        return set(docker("volume", "ls", "--quiet", "--filter", f"name={self.stack}").split())

    def down(self, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Take the stack down."""
        return subprocess.run(
            [ROOT / ".venv/bin/python", ROOT / "dags/stop_stack.py", *options],
            env={**os.environ, "SODAI_STACK": self.stack, **env},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    if left := made.holders():
        docker("rm", "--force", *left)
    if volumes := made.volumes():
        docker("volume", "rm", *volumes)


def test_what_a_task_left_behind_goes_and_what_is_not_the_stacks_stays(held: Held) -> None:
    held.hold(held.volume, *TASK)
    stopped = held.hold(held.volume, *TASK)
    docker("kill", stopped)
    others = {held.hold(f"{held.stack}-other", *TASK), held.hold(f"{held.stack}-other")}

    done = held.down()

    assert (done.returncode, held.holders()) == (0, others), done.stderr
    assert held.volumes() == {held.volume, f"{held.stack}-other"}


def test_without_its_volumes_nothing_of_a_stack_is_left(held: Held) -> None:
    held.hold(held.volume, *TASK)
    done = held.down("--volumes")
    assert (done.returncode, held.holders(), held.volumes()) == (0, set(), set()), done.stderr


def test_a_volume_that_something_holds_is_told_with_its_name(held: Held) -> None:
    own = held.hold(held.volume)

    done = held.down("--volumes")

    assert (done.returncode, held.holders()) == (1, {own})
    assert done.stderr.splitlines()[-1] == (
        f"down: the volume {held.volume} is still there, held by {own}, expected none; remove that with "
        "docker rm --force, then run make down VOLUMES=1 again"
    )


def test_a_folder_is_the_stacks_too(held: Held, tmp_path: Path) -> None:
    held.hold(str(tmp_path), *TASK)
    done = held.down(SODAI_VOLUME=str(tmp_path))
    assert (done.returncode, held.holders()) == (0, set()), done.stderr


def test_services_of_a_swarm_go_with_their_containers(held: Held, tmp_path: Path) -> None:
    def serve(mount: str, *options: str) -> str:
        return docker(
            "service", "create", "--quiet", *options, *TASK,
            "--restart-condition", "none", "--stop-grace-period", "1s",
            "--mount", f"{mount},target=/data", "--entrypoint", "sleep", IMAGE, "300",
        ).strip()[:12]  # fmt: skip

    with swarm_of_this_engine():
        own = serve(f"type=volume,source={held.volume}")
        other = serve(f"type=bind,source={tmp_path}", "--detach")
        try:
            done = held.down("--volumes", SODAI_RUNNER="swarm")
            left = docker("service", "ls", "--quiet", "--filter", "label=sodai.dag").split()
        finally:
            docker("service", "rm", other)
    assert (done.returncode, held.volumes()) == (0, set()), done.stderr
    assert (own in left, other in left) == (False, True)
