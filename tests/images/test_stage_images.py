"""The image of every stage: its own requirements only, an ordinary user, labels, and a stop on SIGTERM."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sodai.data.catalog import STAGES

pytestmark = pytest.mark.docker

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
SLEEPER = "import time\nprint('ready', flush=True)\ntime.sleep(300)\n"
IMPORT_ALL = """
import importlib, pkgutil, os
package = importlib.import_module(os.environ["SODAI_STAGE"])
for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def config(image: str) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]["Config"]
    return settings


@pytest.mark.parametrize("stage", STAGES)
def test_help_needs_only_the_image(stage: str) -> None:
    text = docker("run", "--rm", "--network", "none", "--read-only", f"sodai/{stage}", "--help")
    assert "--as-of" in text


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_of_a_stage_imports_with_its_own_requirements(stage: str) -> None:
    docker("run", "--rm", "--network", "none", "--entrypoint", "python", f"sodai/{stage}", "-c", IMPORT_ALL)


@pytest.mark.parametrize("image", [*STAGES, "airflow", "mlflow", "postgres"])
def test_an_image_runs_as_an_ordinary_user_and_has_labels(image: str) -> None:
    settings = config(f"sodai/{image}")
    assert settings["User"] in {"1000:1000", "postgres"}
    labels = settings["Labels"]
    assert labels["org.opencontainers.image.title"] == f"sodai/{image}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["org.opencontainers.image.version"])
    assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])


@pytest.mark.parametrize("stage", STAGES)
def test_an_image_contains_no_other_stage_no_installer_and_no_authority_of_the_builder(stage: str) -> None:
    listing = docker(
        "run", "--rm", "--entrypoint", "sh", f"sodai/{stage}", "-c",
        "ls /app; find /opt/uv /run/secrets /etc/ssl/certs -type f 2>/dev/null || true",
    )  # fmt: skip
    assert set(listing.split()) == {"sodai", stage, AUTHORITIES}


@pytest.mark.parametrize("stage", STAGES)
def test_an_image_trusts_debians_authorities_and_none_of_the_builder(stage: str) -> None:
    lines_of = "cat {} | grep -v '^$' | sort -u | sha256sum"
    packaged = "$(find /usr/share/ca-certificates -name '*.crt')"
    shell = (
        f"{lines_of.format(AUTHORITIES)}; {lines_of.format(packaged)}; ls -A /usr/local/share/ca-certificates"
    )
    trusted, of_debian, *added = docker(
        "run", "--rm", "--entrypoint", "sh", f"sodai/{stage}", "-c", shell
    ).splitlines()
    assert trusted == of_debian
    assert added == []


def test_a_fresh_volume_belongs_to_the_user_of_the_stages() -> None:
    volume = docker("volume", "create").strip()
    try:
        owner = docker(
            "run", "--rm", "--volume", f"{volume}:/data", "--entrypoint", "sh", f"sodai/{STAGES[0]}",
            "-c", "touch /data/written && stat --format %u:%g /data",
        )  # fmt: skip
        assert owner.strip() == "1000:1000"
    finally:
        docker("volume", "rm", volume)


@pytest.fixture
def sleeping_container(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    tmp_path.chmod(0o755)
    container = docker(
        "run", "--detach", "--env", "SODAI_STAGE=sleeper",
        "--volume", f"{tmp_path / 'sleeper.py'}:/app/sleeper.py:ro", f"sodai/{STAGES[0]}",
    ).strip()  # fmt: skip
    while "ready" not in docker("logs", container):
        time.sleep(0.1)
    yield container
    docker("rm", "--force", container)


def test_sigterm_stops_a_stage_long_before_docker_would_kill_it(sleeping_container: str) -> None:
    started = time.monotonic()
    docker("stop", "--time", "30", sleeping_container)
    assert time.monotonic() - started < 10
    assert docker("inspect", "--format", "{{.State.ExitCode}}", sleeping_container).strip() == "143"
