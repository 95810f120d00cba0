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

# Before the import: MLflow reads these once. Half a minute in all is enough to say that nobody answers.
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
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from sodai.data.catalog import CHALLENGER, CHAMPION
from sodai.errors import TRAIN_AGAIN, ModelError, RegistryError, first_line
from sodai.model.registry_snapshot import (
    EXPERIMENT,
    MODEL_NAME,
    MOST_VERSIONS,
    RegistrySnapshot,
    identity_of,
    trained_for,
)
from sodai.volume.volume import Volume, explain_write_errors

# Tag of a version that became champion: the version that was it before, empty where there was none.
REPLACED = "replaced"
# What MLflow stores as absolute addresses, by table: they follow the volume when it moves.
_ADDRESSES = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}
_BATCH = 100


@dataclass(frozen=True)
class ModelVersion:
    """One version of the registered model: its number as text, the run that made it and its tags."""

    version: str
    run_id: str
    tags: dict[str, str]

    @property
    def replaced(self) -> str | None:
        """The version whose place it took as champion, empty if there was none; None if nobody noted it."""
        return self.tags.get(REPLACED)


@dataclass(frozen=True)
class Trial:
    """One trial of a study, as a child run shows it."""

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    started_ms: int
    ended_ms: int


class Registry:
    """A connection to MLflow: a server, or SQLite and a folder inside the volume.

    Args:
        volume: of the pipeline.
        tracking_uri: of an MLflow server; None for `mlflow/` in the volume.

    Raises:
        RegistryError: nobody answers there, or what lies there is no registry.
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
            known = self.client.get_experiment_by_name(EXPERIMENT)
            self.experiment_id = (
                known.experiment_id if known else self.client.create_experiment(EXPERIMENT, location)
            )

    def champion(self) -> ModelVersion | None:
        """The version with the alias champion; None if there is none yet."""
        return self._by_alias(CHAMPION)

    def snapshot(self) -> RegistrySnapshot:
        """What stages and content keys read of the registry."""
        with self.explain_errors():
            experiment = self.client.get_experiment(self.experiment_id)
            versions = self.client.search_model_versions(f"name='{MODEL_NAME}'", max_results=MOST_VERSIONS)
        champion = self.champion()
        return RegistrySnapshot(
            identity_of(experiment.experiment_id, experiment.creation_time),
            champion.version if champion else None,
            {str(each.version): str(each.run_id) for each in versions},
            trained_for({str(each.version): each.tags for each in versions}),
        )

    def download(self, version: str, folder: Path) -> None:
        """Put the model folder of a version, and its reference.parquet, into `folder`.

        Raises:
            RegistryError: there is no such version, or MLflow does not answer.
            ModelError: MLflow answers, and has not all of its files, or not the run that made it any more.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with self.explain_errors(f"version {version} of {MODEL_NAME}"), TemporaryDirectory() as scratch:
            run_id = str(self.client.get_model_version(MODEL_NAME, version).run_id)
            stored = {
                f"models:/{MODEL_NAME}/{version}": ["model.skops"],
                f"runs:/{run_id}/pipeline": ["model.json", "reference.parquet"],
            }
            for place, names in stored.items():
                listed = _files_of(place)
                for name in names:
                    if name not in listed:
                        raise ModelError(
                            f"MLflow at {self.uri}: version {version} of {MODEL_NAME} has no {name} "
                            f"any more; {TRAIN_AGAIN}"
                        )
                    address = f"{place}/{name}"
                    fetched = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=scratch)
                    shutil.copyfile(fetched, folder / name)

    def promote(self, version: str) -> None:
        """Move the alias champion to `version`, and take challenger from it.

        A version that becomes champion is tagged with the one whose place it takes, see REPLACED.
        """
        with self.explain_errors():
            before = self.champion()
            if before is None or before.version != version:
                # The tag first: there is no champion without, wherever a kill comes.
                replaced = before.version if before else ""
                self.client.set_model_version_tag(MODEL_NAME, version, REPLACED, replaced)
                self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)
            challenger = self._by_alias(CHALLENGER)
            if challenger and challenger.version == version:
                self.client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)

    def require_champion(self, version: str | None) -> None:
        """See that the champion is still the one that a run began with.

        Args:
            version: None if there was none.

        Raises:
            RegistryError: another run has moved the alias since.
        """
        champion = self.champion()
        found = champion.version if champion else None
        if found != version:
            raise RegistryError(
                f"MLflow at {self.uri}: champion of {MODEL_NAME} is version {found or 'none'}, expected "
                f"{version or 'none'} as when this run began: another run moved the alias meanwhile; run the "
                "stage again"
            )

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str]) -> Iterator[str]:
        """A run of the experiment, closed as finished or failed with the block; gives its id."""
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
        texts = [Param(name, str(value)[:6000]) for name, value in (params or {}).items()]
        with self.explain_errors():
            for start in range(0, max(len(entities), len(texts)), _BATCH):
                part = slice(start, start + _BATCH)
                self.client.log_batch(run_id, metrics=entities[part], params=texts[part])
            for folder, paths in (files or {}).items():
                for path in paths:
                    self.client.log_artifact(run_id, str(path), folder or None)

    def log_trials(self, run_id: str, trials: list[Trial], metric: str) -> None:
        """Add each trial of a study as a child run of `run_id`."""
        with self.explain_errors():
            for trial in trials:
                tags = {"mlflow.parentRunId": run_id, "state": trial.state}
                child = self.client.create_run(
                    self.experiment_id, trial.started_ms, tags, run_name=f"trial-{trial.number:03d}"
                )
                metrics = [] if trial.value is None else [Metric(metric, trial.value, trial.ended_ms, 0)]
                params = [Param(name, str(value)) for name, value in trial.params.items()]
                self.client.log_batch(
                    child.info.run_id, metrics, params, [RunTag("trial", str(trial.number))]
                )
                status = "FAILED" if trial.state == "FAIL" else "FINISHED"
                self.client.set_terminated(child.info.run_id, status, trial.ended_ms)

    def _by_alias(self, alias: str) -> ModelVersion | None:
        with self.explain_errors():
            try:
                found = self.client.get_model_version_by_alias(MODEL_NAME, alias)
            except MlflowException as error:
                if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                    return None
                raise
        return ModelVersion(str(found.version), str(found.run_id), dict(found.tags))

    @contextmanager
    def explain_errors(self, what: str = "the experiment") -> Iterator[None]:
        """Turn what MLflow and its stores raise into a one-line RegistryError about `what`."""
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


def _files_of(place: str) -> set[str]:
    """The names of the files that MLflow has at an address; none where what they belonged to was deleted."""
    try:
        listed = mlflow.artifacts.list_artifacts(artifact_uri=place) or []
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return set()
    return {Path(file.path).name for file in listed}


def _relocate(database: Path, location: str) -> None:
    """Make the addresses in a SQLite store follow the volume.

    A volume is /data in a container and any folder on a host; MLflow writes absolute addresses.
    """
    if not database.exists():
        return
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    try:
        with engine.begin() as connection:
            tables = sqlalchemy.inspect(connection).get_table_names()
            if "experiments" not in tables:
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
