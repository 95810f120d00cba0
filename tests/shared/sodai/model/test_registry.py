"""The registry in SQLite inside the volume, and a server that does not answer."""

import os
import shutil
import socket
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrain_model.registration import register_challenger
from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.errors import ModelError, RegistryError
from sodai.model.registry import MODEL_NAME, REPLACED, Registry
from sodai.model.trained_model import TrainedModel, load_model
from sodai.runtime.environment import ENV_TRACKING_URI
from sodai.volume.volume import Volume
from support.champion import delete_run
from support.small_model import synthetic_features, synthetic_model
from support.small_stage import start

with warnings.catch_warnings():
    # MLflow 3.17 warns about its own type hints when it first logs a model.
    warnings.filterwarnings("ignore", ".*inferred as AnyType", UserWarning)
    import_module("mlflow.types.responses")


@pytest.fixture(autouse=True, scope="module")
def _environment() -> Iterator[None]:
    """Restore the environment, where MLflow leaves the address of the registry that it used last."""
    before = os.environ.pop(ENV_TRACKING_URI, None)
    yield
    os.environ.pop(ENV_TRACKING_URI, None)
    if before is not None:
        os.environ[ENV_TRACKING_URI] = before


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return synthetic_model(version="none yet")


@pytest.fixture(scope="module")
def home(model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a volume with the champion 1 and the challenger 2 that was moved after both were registered."""
    folder = tmp_path_factory.mktemp("registry")
    volume = Volume(folder / "origin")
    registry = Registry(volume)
    reference = folder / "reference.parquet"
    for number in (1, 2):
        pq.write_table(pa.table({"version": [number]}), reference)
        with registry.run(f"retrain {number}", {}) as run_id:
            register_challenger(registry, run_id, model, synthetic_features(5), [reference])
        if number == 1:
            registry.promote("1")
    (folder / "origin").rename(folder / "home")
    return folder / "home"


@pytest.fixture
def volume(home: Path, tmp_path: Path) -> Volume:
    return Volume(shutil.copytree(home, tmp_path / "volume"))


@pytest.fixture
def registry(volume: Volume) -> Registry:
    return Registry(volume)


def version_of(registry: Registry, alias: str) -> str:
    return str(registry.client.get_model_version_by_alias(MODEL_NAME, alias).version)


def test_without_the_alias_or_without_any_version_there_is_no_champion(registry: Registry) -> None:
    registry.client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    assert registry.champion() is None
    registry.client.delete_registered_model(MODEL_NAME)
    assert registry.champion() is None


def test_the_champion_has_its_run_and_its_tags(registry: Registry) -> None:
    champion = registry.champion()
    assert champion is not None
    assert champion.version == "1"
    assert registry.client.get_run(champion.run_id).info.run_name == "retrain 1"
    of_model_card = {"as_of": "2024-01-08", "horizon_days": "7", "training_sha256": "0" * 64}
    assert champion.tags == {**of_model_card, REPLACED: ""}


def test_a_moved_volume_returns_the_model_that_was_registered(
    registry: Registry, model: TrainedModel, tmp_path: Path
) -> None:
    registry.download("1", tmp_path / "model")

    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.json",
        "model.skops",
        "reference.parquet",
    ]
    loaded, X = load_model(tmp_path / "model"), synthetic_features(seed=1)
    np.testing.assert_array_equal(loaded.log_odds(X), model.log_odds(X))
    assert loaded.card["version"] == "1"
    assert pq.read_table(tmp_path / "model" / "reference.parquet").to_pydict() == {"version": [1]}


def test_each_version_has_files_of_its_own(registry: Registry, tmp_path: Path) -> None:
    registry.download("2", tmp_path / "model")
    assert load_model(tmp_path / "model").card["version"] == "2"
    assert pq.read_table(tmp_path / "model" / "reference.parquet").to_pydict() == {"version": [2]}


def test_a_volume_moved_twice_into_a_folder_with_an_awkward_name_is_complete(
    registry: Registry, volume: Volume, model: TrainedModel, tmp_path: Path
) -> None:
    moved = Volume(volume.root.rename(tmp_path / "año 2025 50%"))
    registry_of_moved = Registry(moved)
    registry_of_moved.download("1", tmp_path / "first")
    with registry_of_moved.run("retrain 3", {}) as run_id:
        register_challenger(
            registry_of_moved,
            run_id,
            model,
            synthetic_features(5),
            [tmp_path / "first" / "reference.parquet"],
        )
    registry_of_moved.download("3", tmp_path / "third")

    assert load_model(tmp_path / "third").card["version"] == "3"
    assert not volume.root.exists()


def test_a_copy_of_a_volume_does_not_write_to_the_original(home: Path, registry: Registry) -> None:
    before = (home / "mlflow" / "mlflow.db").read_bytes()
    registry.promote("2")
    assert (home / "mlflow" / "mlflow.db").read_bytes() == before


def test_a_promotion_moves_the_champion_and_removes_the_challenger(registry: Registry) -> None:
    assert (version_of(registry, CHAMPION), version_of(registry, CHALLENGER)) == ("1", "2")

    registry.promote("2")

    assert version_of(registry, CHAMPION) == "2"
    assert set(registry.client.get_registered_model(MODEL_NAME).aliases) == {CHAMPION}


def test_a_promotion_records_which_version_it_replaced(registry: Registry) -> None:
    registry.promote("2")
    champion = registry.champion()
    assert champion is not None
    assert (champion.version, champion.replaced) == ("2", "1")
    assert registry.client.get_model_version(MODEL_NAME, "1").tags[REPLACED] == ""
    registry.promote("2")
    assert registry.champion() == champion


def test_a_champion_that_was_set_by_hand_has_no_record_of_the_version_it_replaced(registry: Registry) -> None:
    registry.client.set_registered_model_alias(MODEL_NAME, CHAMPION, "2")
    champion = registry.champion()
    assert champion is not None
    assert champion.replaced is None


def test_a_champion_that_moved_since_is_one_line(registry: Registry) -> None:
    registry.require_champion("1")
    registry.promote("2")
    with pytest.raises(RegistryError, match=r"champion of .* is version 2, expected 1 as at the") as error:
        registry.require_champion("1")
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("run the stage again")
    with pytest.raises(RegistryError, match="is version 2, expected none"):
        registry.require_champion(None)
    registry.client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    registry.require_champion(None)
    with pytest.raises(RegistryError, match="is version none, expected 2"):
        registry.require_champion("2")


def test_a_promotion_of_another_version_keeps_the_challenger(registry: Registry) -> None:
    registry.promote("2")
    registry.client.set_registered_model_alias(MODEL_NAME, CHALLENGER, "2")
    registry.promote("1")
    assert (version_of(registry, CHAMPION), version_of(registry, CHALLENGER)) == ("1", "2")


def test_a_second_promotion_of_the_same_version_changes_nothing(registry: Registry) -> None:
    registry.promote("2")
    registry.promote("2")
    assert version_of(registry, CHAMPION) == "2"


def test_a_missing_version_is_one_line(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"version 99 of sodai_purchase_model not available \(.*99") as e:
        registry.download("99", tmp_path / "model")
    assert "\n" not in str(e.value)
    assert str(e.value).startswith(f"MLflow at {registry.uri}: ")
    with pytest.raises(RegistryError, match="not available"):
        registry.promote("99")
    assert version_of(registry, CHAMPION) == "1"


@pytest.mark.parametrize("name", ["model.skops", "model.json", "reference.parquet"])
def test_a_version_with_a_missing_file_is_one_line(volume: Volume, tmp_path: Path, name: str) -> None:
    for file in (volume.root / "mlflow" / "artifacts").rglob(name):
        file.unlink()
    with pytest.raises(
        ModelError, match=f"version 1 of sodai_purchase_model has no {name} any more"
    ) as error:
        Registry(volume).download("1", tmp_path / "model")
    assert "\n" not in str(error.value)


def test_a_version_whose_run_was_deleted_is_one_line(volume: Volume, tmp_path: Path) -> None:
    delete_run(volume, "1")
    with pytest.raises(ModelError, match=r"version 1 of .* has no model.json any more; train again") as error:
        Registry(volume).download("1", tmp_path / "model")
    assert "\n" not in str(error.value)
    Registry(volume).download("2", tmp_path / "other")


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"not a database, not at all" * 40)
    with pytest.raises(RegistryError, match=r"not available \(.*file is not a database") as error:
        Registry(Volume(tmp_path))
    assert "\n" not in str(error.value)


def test_a_read_only_volume_without_a_registry_is_one_line(tmp_path: Path) -> None:
    process = start(
        """
from sodai.model.registry import Registry
try:
    Registry(volume)
except VolumeError as error:
    print(error)
""",
        tmp_path,
        *("unshare", "--map-root-user", "--mount", "sh", "-c"),
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"',
        *("sh", str(tmp_path)),
    )
    output, log = process.communicate()
    assert process.returncode == 0, log
    assert output.startswith(f"{tmp_path / 'mlflow'}: cannot be written (Read-only file system); give")
    assert output.count("\n") == 1


def test_a_run_ends_as_finished_or_failed_at_the_end_of_its_block(registry: Registry) -> None:
    with registry.run("good", {"stage": "retrain_model"}) as good:
        registry.log(good, params={"seed": 7}, metrics={"set_f1": 0.25})

    def failing() -> None:
        with registry.run("bad", {}) as run_id:
            runs.append(run_id)
            raise ZeroDivisionError("in the middle")

    runs: list[str] = []
    with pytest.raises(ZeroDivisionError, match="in the middle"):
        failing()
    run = registry.client.get_run(good)
    assert (run.info.status, run.data.params, run.data.metrics) == (
        "FINISHED",
        {"seed": "7"},
        {"set_f1": 0.25},
    )
    assert run.data.tags["stage"] == "retrain_model"
    assert registry.client.get_run(runs[0]).info.status == "FAILED"


def test_more_parameters_and_metrics_than_fit_into_one_request_are_all_logged(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text("<p>")
    with registry.run("many", {}) as run_id:
        registry.log(
            run_id,
            params={f"p{number}": "x" * 7000 for number in range(101)},
            metrics={f"m{number}": number for number in range(250)},
            files={"": [tmp_path / "page.html"], "pages": [tmp_path / "page.html"]},
        )

    run = registry.client.get_run(run_id).data
    assert run.metrics == {f"m{number}": float(number) for number in range(250)}
    assert {len(text) for text in run.params.values()} == {6000}
    assert len(run.params) == 101
    assert {file.path for file in registry.client.list_artifacts(run_id)} == {"page.html", "pages"}
    assert [file.path for file in registry.client.list_artifacts(run_id, "pages")] == ["pages/page.html"]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow retry as often as always, without the seconds between."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def assert_one_line(uri: str, volume: Volume) -> None:
    with pytest.raises(RegistryError, match=r"not available \(.*; check that the server runs and") as error:
        Registry(volume, uri)
    assert str(error.value).startswith(f"MLflow at {uri}: ")
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("_impatient")
def test_a_missing_server_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert_one_line(f"http://127.0.0.1:{port}", Volume(tmp_path))
    assert not (tmp_path / "mlflow").exists()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b""],
    ids=["unavailable", "silent"],
)
def test_a_server_that_does_not_answer_is_tried_four_times(tmp_path: Path, answer: bytes) -> None:
    connections: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            if answer:
                connection.recv(10_000)
                connection.sendall(answer)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert_one_line(f"http://127.0.0.1:{server.getsockname()[1]}", Volume(tmp_path))
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    for connection in connections:
        connection.close()
    assert len(connections) == 4
