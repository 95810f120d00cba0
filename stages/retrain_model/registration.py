"""How a trained model becomes the challenger in the registry."""

import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from mlflow.sklearn import log_model

import sodai
from sodai.data.catalog import CHALLENGER
from sodai.model.registry import Registry
from sodai.model.registry_snapshot import MODEL_NAME
from sodai.model.trained_model import MODEL_CARD_FILE, TRUSTED_TYPES, TrainedModel, write_model_card

# The images have no pip, and the model's requirements are given.
logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)


def register(
    registry: Registry, run_id: str, model: TrainedModel, example: pd.DataFrame, files: list[Path]
) -> TrainedModel:
    """Log and register a model as the challenger.

    Args:
        run_id: the training run.
        model: its model card gets the version.
        example: rows of features, for the signature.
        files: reference.parquet and whatever else belongs to the version.

    Returns:
        the model with its version in the model card.

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


def _requirements() -> list[str]:
    names = ("lightgbm", "numpy", "pandas", "scikit-learn", "skops")
    return [f"{name}=={version(name)}" for name in names]
