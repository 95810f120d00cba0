"""The scripts behind make engine, make images and make up."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from support.path_commands import put_command

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "images"


# A docker command with the base image and a context of its own; its bake prints the settings that it gets.
BAKING = """
case "$1 $2" in
"context show") echo elsewhere ;;
"buildx bake") echo "$BUILDX_BUILDER $TAG $CA" ;;
esac
"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "sources.list",
            "# deb http://old.example/debian bookworm main\n"
            "deb http://mirror.example/debian-security bookworm-security main\n"
            "deb [arch=amd64] http://mirror.example/debian bookworm main\n",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n\n"
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
        ),
        (
            "mirrors/debian.list",
            "http://mirror.example/debian-security\nhttp://mirror.example/debian\tpriority:1\n",
        ),
    ],
)
def test_the_archive_is_read_from_every_form_of_apt_sources(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    command = ["sh", "-c", f'. {IMAGES}/debian.sh && debian_archive "$1"', "sh", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == "http://mirror.example/debian\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the files that images/build.sh reads, before any image is built."""
    project = tmp_path / "project"
    (project / "images").mkdir(parents=True)
    for script in ("build.sh", "base.sh", "debian.sh"):
        shutil.copy(IMAGES / script, project / "images")
    shutil.copy(ROOT / "pyproject.toml", project)
    return project


def build(project: Path, docker: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run build.sh with a shell script as the command docker."""
    put_command(project, "docker", docker)
    path = f"{project}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [project / "images/build.sh"], env={"PATH": path, "UV_VERSION": "1", **env},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def bake_settings(project: Path, **env: str) -> list[str]:
    """Return the builder, the tag and the file with the certificate authorities that bake gets."""
    done = build(project, BAKING, **env)
    assert (done.returncode, done.stderr) == (0, "")
    return (project / ".cache/images.log").read_text().split()


def test_certificate_authorities_are_copied_into_the_folder_that_bake_may_read(
    project: Path, tmp_path: Path
) -> None:
    for authorities in ("first", "others"):
        (tmp_path / "authorities.pem").write_text(authorities)
        (tmp_path / "authorities.pem").chmod(0o444)
        *_, file = bake_settings(project, SSL_CERT_FILE=str(tmp_path / "authorities.pem"))
        assert not Path(file).is_absolute()
        assert (project / file).resolve().is_relative_to(project)
        assert (project / file).read_text() == authorities
        (tmp_path / "authorities.pem").unlink()


def test_a_machine_without_certificate_authorities_passes_none(project: Path, tmp_path: Path) -> None:
    assert len(bake_settings(project, SSL_CERT_FILE=str(tmp_path / "none.pem"))) == 2


@pytest.mark.parametrize(("env", "tag"), [({}, "latest"), ({"SODAI_IMAGE_TAG": "two"}, "two")])
def test_images_get_the_tag_that_is_run(project: Path, env: dict[str, str], tag: str) -> None:
    assert bake_settings(project, **env)[1] == tag


def test_the_engine_that_runs_the_images_builds_them(project: Path) -> None:
    assert bake_settings(project, BUILDX_BUILDER="container")[0] == "elsewhere"


@pytest.mark.parametrize(
    ("docker", "line"),
    [
        (
            "exit 1",
            "no Docker engine answers this user; make engine starts one on Debian, or join the group docker",
        ),
        (
            '[ "$1" = version ] || exit 1',
            "Docker's Buildx is missing; on Debian or Ubuntu: apt-get install docker-buildx",
        ),
    ],
)
def test_a_missing_engine_or_buildx_is_reported_in_one_line(project: Path, docker: str, line: str) -> None:
    done = build(project, docker)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"images: {line}\n")


def complete_env(folder: Path, docker: str, initial: str = "") -> "subprocess.CompletedProcess[str]":
    """Run secrets.sh on an .env, with a shell script as the command docker."""
    (folder / "images").mkdir()
    script = shutil.copy(IMAGES / "secrets.sh", folder / "images")
    (folder / ".env").write_text(initial)
    put_command(folder, "docker", docker)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [script], env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )


def test_only_an_image_of_this_machine_gets_the_socket(tmp_path: Path) -> None:
    done = complete_env(tmp_path, f'echo "$@" >>{tmp_path}/calls; echo 999')
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("run --rm --pull never ")
    assert "DOCKER_GID=999" in (tmp_path / ".env").read_text().splitlines()


def test_a_missing_base_image_is_reported_in_one_line(tmp_path: Path) -> None:
    done = complete_env(tmp_path, "echo No such image: sodai/base:latest >&2; exit 125")
    assert done.returncode == 1
    assert done.stderr == (
        "secrets: sodai/base cannot read the group of Docker's socket, expected an engine that has it; "
        "run make images\n"
    )
    assert "DOCKER_GID" not in (tmp_path / ".env").read_text()


def test_a_group_of_the_socket_in_env_is_kept_without_a_docker_call(tmp_path: Path) -> None:
    done = complete_env(tmp_path, f"touch {tmp_path}/calls; exit 125", "DOCKER_GID=7\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "calls").exists()


def test_a_last_line_without_a_newline_is_kept(tmp_path: Path) -> None:
    complete_env(tmp_path, "exit 125", "DOCKER_GID=7\nAIRFLOW_DB_PASSWORD=chosen")
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[:2] == ["DOCKER_GID=7", "AIRFLOW_DB_PASSWORD=chosen"]
    assert lines[2].startswith("MLFLOW_DB_PASSWORD=")


@pytest.mark.docker
def test_secrets_are_generated_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    script = shutil.copy(IMAGES / "secrets.sh", tmp_path / "images")
    (tmp_path / ".env").write_text("AIRFLOW_ADMIN_PASSWORD=chosen\n")
    subprocess.run([script], timeout=60, check=True)
    first = (tmp_path / ".env").read_text()
    subprocess.run([script], timeout=60, check=True)
    assert (tmp_path / ".env").read_text() == first
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in first.splitlines())
    assert values["AIRFLOW_ADMIN_PASSWORD"] == "chosen"
    assert len(set(values.values())) == len(values) == 7
