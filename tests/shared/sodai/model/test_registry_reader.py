"""A snapshot of the registry is what MLflow's client reads, also where the client is not asked."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from sodai.data.catalog import CHAMPION
from sodai.errors import RegistryError
from sodai.model.registry import MODEL_NAME, Registry
from sodai.model.registry_reader import read_snapshot
from sodai.model.registry_snapshot import RegistrySnapshot
from sodai.runtime.environment import ENV_TRACKING_URI
from sodai.volume.volume import Volume

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore the environment, where MLflow leaves the address of the registry that it used last."""
    monkeypatch.delenv(ENV_TRACKING_URI, raising=False)
    yield
    os.environ.pop(ENV_TRACKING_URI, None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a volume with the versions 1 and 2, without files, 1 the champion."""
    root = tmp_path_factory.mktemp("registry") / "volume"
    registry = Registry(Volume(root))
    registry.client.create_registered_model(MODEL_NAME)
    register(registry)
    register(registry, as_of="2024-06-03", horizon_days="7")
    registry.promote("1")
    return root


@pytest.fixture
def registry(home: Path, tmp_path: Path) -> Registry:
    return Registry(Volume(shutil.copytree(home, tmp_path / "volume")))


def register(registry: Registry, **tags: str) -> str:
    """Register one more version and return its run."""
    with registry.run("retrain", {}) as run_id:
        registry.client.create_model_version(MODEL_NAME, f"{registry.uri}/{run_id}", run_id, tags)
    return run_id


def root_of(registry: Registry) -> Path:
    return Path(registry.uri.removeprefix("sqlite:///")).parents[1]


def read_in_new_process(root: Path) -> tuple[str, bool]:
    """Return the snapshot that another process reads, and whether it imported MLflow's client."""
    code = (
        "import sys; from pathlib import Path; from sodai.model.registry_reader import read_snapshot; "
        "snapshot = read_snapshot(Path(sys.argv[1]), None); print(snapshot); print('mlflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, root],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SHARED)},
    )
    snapshot, imported = done.stdout.splitlines()
    return snapshot, imported == "True"


def test_a_snapshot_has_the_champion_and_the_run_of_every_version(registry: Registry) -> None:
    snapshot = read_snapshot(root_of(registry), None)
    assert snapshot == registry.snapshot()
    assert snapshot.champion == "1"
    assert set(snapshot.versions) == {"1", "2"}
    assert registry.client.get_run(snapshot.versions["2"]).info.run_name == "retrain"
    assert snapshot.trained_for == {"2": "2024-06-03"}


def test_there_is_a_snapshot_before_any_version(tmp_path: Path) -> None:
    snapshot = read_snapshot(tmp_path, None)
    assert (snapshot.champion, snapshot.versions, snapshot.trained_for) == (None, {}, {})


def test_the_client_is_asked_once_and_again_after_a_write_to_the_store(registry: Registry) -> None:
    root = root_of(registry)
    expected = str(registry.snapshot())
    assert read_in_new_process(root) == (expected, True)
    assert read_in_new_process(root) == (expected, False)

    registry.client.set_registered_model_alias(MODEL_NAME, CHAMPION, "2")

    moved = expected.replace("champion='1'", "champion='2'")
    assert read_in_new_process(root) == (moved, True)
    assert read_in_new_process(root) == (moved, False)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"store": "of another"}'])
def test_a_damaged_cache_is_ignored(registry: Registry, damage: str) -> None:
    snapshot = read_snapshot(root_of(registry), None)
    (root_of(registry) / "mlflow/state.json").write_text(damage)
    assert read_snapshot(root_of(registry), None) == snapshot


def test_another_registry_at_the_same_address_has_another_identity(
    registry: Registry, tmp_path: Path
) -> None:
    time.sleep(0.002)  # the identity is the millisecond in which the experiment was created
    other = Registry(Volume(tmp_path / "other"))
    assert other.snapshot().identity != registry.snapshot().identity


@pytest.fixture
def server(registry: Registry) -> Iterator[str]:
    """Start an MLflow server on the store of `registry`."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"],
        env={
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": registry.uri,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        cwd=root_of(registry),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_healthy(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait_until_healthy(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        with suppress(OSError):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                connection.close()
                return
        connection.close()
        time.sleep(0.2)
    raise AssertionError("the MLflow server does not start")


def test_the_rest_interface_of_a_server_returns_the_same_snapshot(
    registry: Registry, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
        raise AssertionError("the client was asked")

    monkeypatch.setattr("sodai.model.registry_reader._ask_client", fail)
    snapshot = registry.snapshot()
    assert read_snapshot(tmp_path, server) == read_snapshot(tmp_path, f"{server}/") == snapshot

    registry.client.set_registered_model_alias(MODEL_NAME, CHAMPION, "2")
    register(registry)
    now = read_snapshot(tmp_path, server)
    assert (now.champion, sorted(now.versions), now.identity) == ("2", ["1", "2", "3"], snapshot.identity)

    registry.client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    assert read_snapshot(tmp_path, server) == registry.snapshot()
    assert read_snapshot(tmp_path, server).champion is None


def test_a_missing_server_is_an_expected_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"not available \(.*; check that the server runs and"):
        read_snapshot(tmp_path, "http://127.0.0.1:9")
