"""A separate Spark cluster from the compose file, and stages that use it."""

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
    """Start a cluster whose volume is a copy of `root`; remove it after the block."""
    _run("make", "image", "STAGE=spark")
    _run("images/secrets.sh")
    try:
        _compose("up", "--detach", "--wait", "--wait-timeout", "180", "spark-connect")
        put(root, ".")
        yield
    finally:
        _compose("down", "--volumes", "--timeout", "5")


def run_on_cluster(stage: str, as_of: str, *options: str, code: int = 0) -> dict[str, Any]:
    """Run a stage's container that uses the cluster and must end with `code`; return its result."""
    image = f"sodai/{stage}:{_TAG}"
    engine = ("--engine", "spark", "--spark-remote", REMOTE)
    command = ["docker", "run", "--rm", *_VOLUME, "--network", NAME, image, "--as-of", as_of, *engine]
    result: dict[str, Any] = json.loads(_run(*command, *options, code=code).splitlines()[-1])
    return result


def put(root: Path, *paths: str) -> None:
    """Copy files and folders of `root` to the same paths of the volume."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in paths:
            archive.add(root / path, arcname=path)
    _run("docker", "run", "--rm", "--interactive", "--user", "1000:1000", *_VOLUME, "sodai/base",
         "tar", "--extract", "--no-same-owner", "--directory", "/data", stdin=packed.getvalue())  # fmt: skip


def copy_volume(target: Path) -> None:
    """Copy all files of the volume to a folder."""
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
