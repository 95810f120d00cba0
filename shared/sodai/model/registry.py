"""MLflow as the pipeline uses it: one experiment, one registered model, two aliases."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Before the import, because MLflow reads these once. Three retries of ten seconds are enough to find that a
# server does not answer.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

import mlflow
import requests
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.errors import TRAIN_AGAIN, ModelError, RegistryError, first_line
from sodai.model.registry_snapshot import (
    EXPERIMENT,
    MODEL_NAME,
    MOST_VERSIONS,
    RegistrySnapshot,
    build_snapshot,
)
from sodai.volume.atomic_files import explain_write_errors
from sodai.volume.volume import Volume

# Tag of a version that became champion: the previous champion's version, empty where there was none.
REPLACED = "replaced"
# Columns in which MLflow stores absolute addresses, by table.
_ADDRESSES = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}
# MLflow refuses more parameters than this in one request.
_BATCH = 100
_LONGEST_PARAM = 6000


@dataclass(frozen=True)
class ModelVersion:
    """One version of the registered model: its number as text, the run that trained it and its tags."""

    version: str
    run_id: str
    tags: dict[str, str]

    @property
    def replaced(self) -> str | None:
        """Return the champion that this version replaced, empty if there was none; None if not recorded."""
        return self.tags.get(REPLACED)


class Registry:
    """A connection to MLflow: a server, or SQLite and a folder inside the volume.

    Args:
        volume: of the pipeline.
        tracking_uri: of an MLflow server; None for `mlflow/` in the volume.

    Raises:
        RegistryError: the server does not answer, or the store is not MLflow's.
        VolumeError: the volume is read-only or full.
    """

    def __init__(self, volume: Volume, tracking_uri: str | None = None) -> None:
        folder = volume.root / "mlflow"
        self.uri = tracking_uri or f"sqlite:///{folder / 'mlflow.db'}"
        location = None
        if tracking_uri is None:
            with explain_write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            location = (folder / "artifacts").as_uri()
        with self.explain_errors():
            if location is not None:
                _relocate(folder / "mlflow.db", location)
            mlflow.set_tracking_uri(self.uri)
            self.client = MlflowClient(self.uri)
            experiment = self.client.get_experiment_by_name(EXPERIMENT)
            self.experiment_id = (
                experiment.experiment_id
                if experiment
                else self.client.create_experiment(EXPERIMENT, location)
            )

    def champion(self) -> ModelVersion | None:
        """Return the version with the alias champion, None if there is none yet."""
        return self._by_alias(CHAMPION)

    def snapshot(self) -> RegistrySnapshot:
        """Return the state that stages and fingerprints depend on."""
        with self.explain_errors():
            experiment = self.client.get_experiment(self.experiment_id)
            versions = self.client.search_model_versions(f"name='{MODEL_NAME}'", max_results=MOST_VERSIONS)
        champion = self.champion()
        return build_snapshot(
            experiment.experiment_id,
            experiment.creation_time,
            champion.version if champion else None,
            {str(each.version): str(each.run_id) for each in versions},
            {str(each.version): each.tags for each in versions},
        )

    def download(self, version: str, folder: Path) -> None:
        """Write the model folder of a version, with its reference.parquet, to `folder`.

        Raises:
            RegistryError: there is no such version, or MLflow does not answer.
            ModelError: MLflow has lost some of its files, or the run that trained it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with self.explain_errors(f"version {version} of {MODEL_NAME}"), TemporaryDirectory() as scratch:
            run_id = str(self.client.get_model_version(MODEL_NAME, version).run_id)
            stored = {
                f"models:/{MODEL_NAME}/{version}": ["model.skops"],
                f"runs:/{run_id}/pipeline": ["model.json", "reference.parquet"],
            }
            for address, names in stored.items():
                available = _file_names(address)
                for name in names:
                    if name not in available:
                        raise ModelError(
                            f"MLflow at {self.uri}: version {version} of {MODEL_NAME} has no {name} "
                            f"any more; {TRAIN_AGAIN}"
                        )
                    file = mlflow.artifacts.download_artifacts(
                        artifact_uri=f"{address}/{name}", dst_path=scratch
                    )
                    shutil.copyfile(file, folder / name)

    def promote(self, version: str) -> None:
        """Move the alias champion to `version`, and remove the alias challenger from it.

        A version that becomes champion is tagged with the one that it replaces, see REPLACED.
        """
        with self.explain_errors():
            before = self.champion()
            if before is None or before.version != version:
                # The tag first: a run killed between the two calls must not leave a champion without it.
                replaced = before.version if before else ""
                self.client.set_model_version_tag(MODEL_NAME, version, REPLACED, replaced)
                self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)
            challenger = self._by_alias(CHALLENGER)
            if challenger and challenger.version == version:
                self.client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)

    def require_champion(self, version: str | None) -> None:
        """Check that the champion is still the one that a run started with.

        Args:
            version: None if there was none.

        Raises:
            RegistryError: another run has moved the alias since.
        """
        champion = self.champion()
        current = champion.version if champion else None
        if current != version:
            raise RegistryError(
                f"MLflow at {self.uri}: champion of {MODEL_NAME} is version {current or 'none'}, expected "
                f"{version or 'none'} as at the start of this run: another run has moved the alias; run the "
                "stage again"
            )

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str]) -> Iterator[str]:
        """Open a run of the experiment and yield its id; it ends as finished or failed with the block."""
        with self.explain_errors():
            run_id: str = self.client.create_run(
                self.experiment_id, run_name=name, tags=dict(tags)
            ).info.run_id
        try:
            yield run_id
        except BaseException:
            with suppress(MlflowException):
                self.client.set_terminated(run_id, "FAILED")
            raise
        with self.explain_errors():
            self.client.set_terminated(run_id)

    def log(
        self,
        run_id: str,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        files: Mapping[str, list[Path]] | None = None,
    ) -> None:
        """Add parameters, metrics and files (artifact folder -> files) to a run."""
        now = int(time.time() * 1000)
        entities = [Metric(name, float(value), now, 0) for name, value in (metrics or {}).items()]
        texts = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in (params or {}).items()]
        with self.explain_errors():
            for start in range(0, max(len(entities), len(texts)), _BATCH):
                batch = slice(start, start + _BATCH)
                self.client.log_batch(run_id, metrics=entities[batch], params=texts[batch])
            for folder, paths in (files or {}).items():
                for path in paths:
                    self.client.log_artifact(run_id, str(path), folder or None)

    @contextmanager
    def explain_errors(self, what: str = "the experiment") -> Iterator[None]:
        """Turn the errors of MLflow and of its stores into a one-line RegistryError about `what`."""
        try:
            yield
        except (
            MlflowException,
            requests.exceptions.RequestException,
            sqlalchemy.exc.SQLAlchemyError,
            FileNotFoundError,
        ) as error:
            raise RegistryError(
                f"MLflow at {self.uri}: {what} not available ({first_line(error)[:300]}); "
                "check that the server runs and that --tracking-uri names it, then run the stage again"
            ) from error

    def _by_alias(self, alias: str) -> ModelVersion | None:
        with self.explain_errors():
            try:
                version = self.client.get_model_version_by_alias(MODEL_NAME, alias)
            except MlflowException as error:
                if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                    return None
                raise
        return ModelVersion(str(version.version), str(version.run_id), dict(version.tags))


def snapshot_by_client(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
    """Return the snapshot of the registry of a volume, or of a server, as MLflow's client reads it."""
    return Registry(Volume(root), tracking_uri).snapshot()


def _file_names(address: str) -> set[str]:
    """Return the names of the files at an address of MLflow; none where their run or model was deleted."""
    try:
        files = mlflow.artifacts.list_artifacts(artifact_uri=address) or []
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return set()
    return {Path(file.path).name for file in files}


def _relocate(database: Path, location: str) -> None:
    """Update the addresses in a SQLite store after the volume has moved.

    Args:
        database: of MLflow; need not exist.
        location: address of the artifacts' folder now.
    """
    # MLflow writes absolute addresses, and a volume is /data in a container and any folder on a host.
    if not database.exists():
        return
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    try:
        with engine.begin() as connection:
            if "experiments" not in sqlalchemy.inspect(connection).get_table_names():
                return
            query = sqlalchemy.text("SELECT artifact_location FROM experiments WHERE name = :name")
            recorded = connection.execute(query, {"name": EXPERIMENT}).scalar()
            if recorded is None or recorded == location:
                return
            for table, columns in _ADDRESSES.items():
                for column in columns:
                    replaced = f"replace({column}, :old, :new)"
                    statement = f"UPDATE {table} SET {column} = {replaced} WHERE {column} LIKE :old || '%'"
                    connection.execute(sqlalchemy.text(statement), {"old": recorded, "new": location})
    finally:
        engine.dispose()
