"""The command line of object stores: what `get` copies, however its paths are typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sodai.object_store.__main__ import app
from sodai.object_store.checkout import open_checkout
from sodai_dag.settings import ROOT
from support.object_store_server import ObjectStoreServer
from support.week import files_of

PUBLISHED = {"reports/one.html": b"one", "reports/old/two.html": b"two", "history/runs": b"runs"}


@pytest.fixture
def url(object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Return a volume with two folders."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SODAI_CACHE", str(tmp_path / "cache"))
    url = object_store.make_volume()
    with open_checkout(url) as checkout:
        for name, content in PUBLISHED.items():
            (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout.root / name).write_bytes(content)
        checkout.push(["reports", "history"])
    return url


def run_get(url: str, to: Path, *paths: str) -> int:
    """Return the exit code of `get`."""
    done = CliRunner().invoke(app, ["get", url, *paths, "--to", str(to)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code


@pytest.mark.parametrize(
    ("paths", "prefixes"),
    [
        (["."], [""]),
        (["/"], [""]),
        (["reports"], ["reports"]),
        (["/reports/"], ["reports"]),
        (["./reports/old", "history/../history/runs"], ["reports/old", "history"]),
        (["reports/one.html"], ["reports/one"]),
    ],
)
def test_published_files_are_copied_with_their_paths(
    url: str, tmp_path: Path, paths: list[str], prefixes: list[str]
) -> None:
    assert run_get(url, tmp_path / "to", *paths) == 0
    expected = {name: text for name, text in PUBLISHED.items() if name.startswith(tuple(prefixes))}
    assert files_of(tmp_path / "to") == expected


@pytest.mark.parametrize("paths", [["report"], ["../reports2"], ["reports", "/studies"]])
def test_a_path_without_published_files_copies_nothing(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, paths: list[str]
) -> None:
    assert run_get(url, tmp_path / "to", *paths) == 1
    assert not (tmp_path / "to").exists()
    missing = paths[-1].lstrip("./")
    (line,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert line == f"{url}/{missing}: nothing is published there, expected a file or folder"


def test_an_empty_volume_is_an_error(url: str, object_store: ObjectStoreServer, tmp_path: Path) -> None:
    assert run_get(object_store.make_volume(), tmp_path / "to", ".") == 1


def test_a_full_disk_is_reported_in_one_line_and_leaves_no_half_file(
    url: str, object_store: ObjectStoreServer, tmp_path: Path
) -> None:
    with open_checkout(url) as checkout:
        (checkout.root / "large").mkdir()
        (checkout.root / "large/file").write_bytes(bytes(100_000))
        checkout.push(["large"])
    to = tmp_path / "to"
    to.mkdir()
    mount_and_run = 'mount -t tmpfs -o size=32k none "$0" && "$@"; code=$?; ls -R "$0"; exit $code'
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mount_and_run, to,
         sys.executable, "-m", "sodai.object_store", "get", url, "large", "--to", to],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **object_store.environment, "PYTHONPATH": str(ROOT / "shared")},
    )  # fmt: skip
    assert done.returncode == 1
    assert not [word for word in done.stdout.split() if word.startswith("file")]
    assert "large:" in done.stdout
    *_, line = done.stderr.splitlines()
    expected = "cannot be written (No space left on device); give the folder space and this user the right to"
    assert line == f"{to}/large/file: {expected} write, then run it again"
