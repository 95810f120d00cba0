"""A Spark cluster of its own, as the compose file describes it, and stages that use it."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAME = "sodai-test-spark"
REMOTE = "sc://spark-connect:15002"
_TAG = os.environ.get("SODAI_IMAGE_TAG", "latest")
_VOLUME = ("--volume", f"{NAME}_data:/data")


@contextmanager
def cluster(root: Path) -> Iterator[None]:
    """A cluster whose volume begins as a copy of `root`; gone after the block."""
    _run("make", "image", "STAGE=spark")
    _run("images/secrets.sh")
    try:
        _compose("up", "--detach", "--wait", "--wait-timeout", "180", "spark-connect")
        put(root, ".")
        yield
    finally:
        _compose("down", "--volumes", "--timeout", "5")


def run_on_cluster(stage: str, as_of: str, *options: str, code: int = 0) -> dict[str, Any]:
    """The result of a stage's container that uses the cluster and ends with `code`."""
    image = f"sodai/{stage}:{_TAG}"
    engine = ("--engine", "spark", "--spark-remote", REMOTE)
    command = ["docker", "run", "--rm", *_VOLUME, "--network", NAME, image, "--as-of", as_of, *engine]
    result: dict[str, Any] = json.loads(_run(*command, *options, code=code).splitlines()[-1])
    return result


def put(root: Path, *places: str) -> None:
    """Copy what lies at some places of `root` to the same places of the volume."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for place in places:
            archive.add(root / place, arcname=place)
    _run("docker", "run", "--rm", "--interactive", "--user", "1000:1000", *_VOLUME, "sodai/base",
         "tar", "--extract", "--no-same-owner", "--directory", "/data", stdin=packed.getvalue())  # fmt: skip


def copy_volume(target: Path) -> None:
    """Put what lies on the volume into a folder."""
    packed = _run(
        "docker", "run", "--rm", *_VOLUME, "sodai/base", "tar", "--create", "--directory", "/data", "."
    )
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")


def _compose(*arguments: str) -> None:
    _run("docker", "compose", "--profile", "spark", *arguments)


def _run(*command: str, stdin: bytes | None = None, code: int = 0) -> bytes:
    environment = {**os.environ, "SODAI_STACK": NAME}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=stdin, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == code, f"{' '.join(command)}: {done.stdout[-4000:]!r}{done.stderr[-4000:]!r}"
    return done.stdout
