"""The scripts behind make engine, make images and make up, and what the Makefile asks of a machine."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "images"


def put_command(folder: Path, name: str, script: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


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
    ],
)
def test_the_archive_is_read_from_either_form_of_apt_sources(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    command = ["sh", "-c", f'. {IMAGES}/debian.sh && debian_archive "$1"', "sh", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == "http://mirror.example/debian\n"


@pytest.mark.docker
def test_secrets_are_made_once_for_the_owner_only_and_kept(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("found", "installs"),
    [(["chromium", "chromedriver"], False), (["chromium"], True), (["chromedriver"], True), ([], True)],
)
def test_the_browser_is_installed_where_it_or_its_driver_is_missing(
    tmp_path: Path, found: list[str], installs: bool
) -> None:
    for name in found:
        put_command(tmp_path, name)
    put_command(tmp_path, "id", "echo 0")
    put_command(tmp_path, "apt-get", f"echo asked >>{tmp_path}/installed")
    make = shutil.which("make")
    assert make
    subprocess.run([make, "browser"], cwd=ROOT, env={"PATH": str(tmp_path)}, timeout=60, check=True)
    assert (tmp_path / "installed").exists() == installs
