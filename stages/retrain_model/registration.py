"""The challenger and the trials of its search in MLflow."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import infer_signature
from mlflow.sklearn import log_model
from optuna.trial import FrozenTrial, TrialState

import sodai
from sodai.data.catalog import CHALLENGER
from sodai.model.registry import Registry
from sodai.model.registry_snapshot import MODEL_NAME
from sodai.model.trained_model import MODEL_CARD_FILE, TRUSTED_TYPES, TrainedModel, write_model_card

# It warns that pip is missing, which the images do without; the model's requirements are given.
logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)


def register_challenger(
    registry: Registry, run_id: str, model: TrainedModel, example: pd.DataFrame, files: list[Path]
) -> TrainedModel:
    """Log and register a model as the challenger; return it with its version in the model card.

    Args:
        registry: of the pipeline.
        run_id: the training run.
        model: not registered yet.
        example: rows of features, for the signature.
        files: more files of the version, such as reference.parquet.

    Raises:
        RegistryError: MLflow does not answer or refuses.
    """
    client = registry.client
    with registry.explain_errors(), TemporaryDirectory() as scratch:
        with mlflow.start_run(run_id=run_id, log_system_metrics=False):
            logged = log_model(
                model.pipeline,
                name="model",
                registered_model_name=MODEL_NAME,
                signature=infer_signature(example, model.pipeline.predict_proba(example)),
                pyfunc_predict_fn="predict_proba",
                pip_requirements=_requirements(),
                serialization_format="skops",
                skops_trusted_types=TRUSTED_TYPES,
                code_paths=[str(Path(sodai.__file__).parent)],
            )
        number = str(logged.registered_model_version)
        model = replace(model, card={**model.card, "version": number, "run_id": run_id})
        write_model_card(Path(scratch), model.card)
        for file in [Path(scratch) / MODEL_CARD_FILE, *files]:
            client.log_artifact(run_id, str(file), "pipeline")
        for name in ("as_of", "horizon_days", "training_sha256"):
            client.set_model_version_tag(MODEL_NAME, number, name, str(model.card[name]))
        client.set_registered_model_alias(MODEL_NAME, CHALLENGER, number)
    return model


def log_trials(registry: Registry, run_id: str, trials: Sequence[FrozenTrial], metric: str) -> None:
    """Log each trial of a study as a child run of `run_id`, with the value of a completed one as `metric`."""
    client = registry.client
    with registry.explain_errors():
        for trial in trials:
            started, ended = _milliseconds(trial.datetime_start), _milliseconds(trial.datetime_complete)
            tags = {"mlflow.parentRunId": run_id, "state": trial.state.name}
            child = client.create_run(
                registry.experiment_id, started, tags, run_name=f"trial-{trial.number:03d}"
            )
            value = completed_value(trial)
            metrics = [] if value is None else [Metric(metric, value, ended, 0)]
            params = [Param(name, str(value)) for name, value in trial.params.items()]
            client.log_batch(child.info.run_id, metrics, params, [RunTag("trial", str(trial.number))])
            status = "FAILED" if trial.state == TrialState.FAIL else "FINISHED"
            client.set_terminated(child.info.run_id, status, ended)


def completed_value(trial: FrozenTrial) -> float | None:
    """Return the value of a completed trial; None for others, also if a pruned one has a value."""
    return trial.value if trial.state == TrialState.COMPLETE else None


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def _requirements() -> list[str]:
    names = ("lightgbm", "numpy", "pandas", "scikit-learn", "skops")
    return [f"{name}=={version(name)}" for name in names]
