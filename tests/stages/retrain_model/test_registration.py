"""The result of a training in MLflow: the run, its trials, the version, and no pickle anywhere."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState

from retrain_model.registration import log_trials
from sodai.data.catalog import REFERENCE, RETRAINED_MODEL, SCORING, TRIALS
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.registry import MODEL_NAME, Registry
from sodai.model.trained_model import features_frame, load_model
from sodai.volume.volume import Volume
from support.champion import SmallWeek


@pytest.fixture(scope="module")
def week(trained: SmallWeek) -> SmallWeek:
    return trained


@pytest.fixture(scope="module")
def registry(week: SmallWeek) -> Registry:
    return Registry(week.volume)


@pytest.fixture(scope="module")
def client(registry: Registry) -> MlflowClient:
    return registry.client


@pytest.fixture(scope="module")
def version(client: MlflowClient) -> ModelVersion:
    return client.get_model_version_by_alias(MODEL_NAME, "challenger")


@pytest.fixture(scope="module")
def parent(client: MlflowClient, version: ModelVersion) -> Run:
    return client.get_run(version.run_id)


def model_card(week: SmallWeek) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        (week.volume.path(RETRAINED_MODEL, week.as_of) / "model.json").read_text()
    )
    return record


def test_the_model_is_the_challenger_and_not_the_champion(registry: Registry, version: ModelVersion) -> None:
    assert str(version.version) == "1"
    assert registry.champion() is None


def test_the_version_is_tagged_with_its_period_and_its_data(version: ModelVersion, week: SmallWeek) -> None:
    assert version.tags == {
        "as_of": str(week.as_of),
        "horizon_days": "7",
        "training_sha256": model_card(week)["training_sha256"],
    }


def test_the_run_has_parameters_metric_and_plots(client: MlflowClient, parent: Run, week: SmallWeek) -> None:
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == f"retrain {week.as_of}"
    assert (parent.data.tags["stage"], parent.data.tags["as_of"]) == ("retrain_model", str(week.as_of))
    record = model_card(week)
    params = {name: str(value) for name, value in record["params"].items()}
    assert parent.data.params == {**params, "n_training_rows": str(record["n_training_rows"])}
    assert parent.data.metrics["average_precision"] == record["average_precision"]
    assert {Path(file.path).name for file in client.list_artifacts(parent.info.run_id, "study")} == {
        "plot_optimization_history.png",
        "plot_param_importances.png",
        "plot_slice.png",
    }


def test_each_trial_is_a_child_run_with_its_value_and_parameters(
    registry: Registry, client: MlflowClient, parent: Run, week: SmallWeek
) -> None:
    children = client.search_runs(
        [registry.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    found = {
        int(run.data.tags["trial"]): (
            run.data.tags["state"],
            run.data.metrics.get("average_precision"),
            run.data.params,
        )
        for run in children
    }
    trials = week.volume.read_json(TRIALS, week.as_of)["trials"]
    assert found == {
        trial["number"]: (
            trial["state"],
            trial["value"],
            {name: str(value) for name, value in trial["params"].items()},
        )
        for trial in trials
    }
    assert len(children) == 3


def test_the_signature_names_every_feature_in_order(registry: Registry) -> None:
    signature = mlflow.models.get_model_info(f"models:/{MODEL_NAME}/1").signature
    assert signature.inputs.input_names() == FEATURE_NAMES


def test_the_registered_model_scores_without_the_project_installed(
    registry: Registry, week: SmallWeek, tmp_path: Path
) -> None:
    X = features_frame(week.volume.read(SCORING, week.as_of).slice(0, 20))
    X.to_parquet(tmp_path / "X.parquet")
    source = registry.client.get_model_version_download_uri(MODEL_NAME, "1")
    program = (
        "import sys, mlflow, numpy, pandas; "
        "model = mlflow.pyfunc.load_model(sys.argv[1]); "
        "numpy.save(sys.argv[3], model.predict(pandas.read_parquet(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "X.parquet", tmp_path / "scores.npy"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pipeline = load_model(week.volume.path(RETRAINED_MODEL, week.as_of)).pipeline
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), pipeline.predict_proba(X), rtol=1e-9)


def test_the_reference_and_the_model_card_are_stored_with_the_model(
    registry: Registry, week: SmallWeek, tmp_path: Path
) -> None:
    registry.download("1", tmp_path)
    folder = week.volume.path(RETRAINED_MODEL, week.as_of)
    assert (tmp_path / "reference.parquet").read_bytes() == week.volume.path(
        REFERENCE, week.as_of
    ).read_bytes()
    assert json.loads((tmp_path / "model.json").read_text()) == model_card(week)
    assert {path.name for path in folder.iterdir()} == {"model.skops", "model.json"}


def test_no_stored_file_is_a_pickle(week: SmallWeek) -> None:
    stored = [path for path in (week.root / "mlflow" / "artifacts").rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} <= {
        ".css",
        ".jinja",
        ".json",
        ".md",
        ".parquet",
        ".png",
        ".py",
        ".skops",
        ".txt",
        ".typed",
        ".yaml",
        "",
    }
    # A pickle of protocol 2 or later begins with the byte 0x80.
    assert not [path for path in stored if path.read_bytes().startswith(b"\x80")]
    (model,) = [path for path in stored if path.name == "MLmodel"]
    assert "serialization_format: skops" in model.read_text()


def ended_trial(
    number: int, state: TrialState, value: float | None, params: dict[str, int], start: int, end: int
) -> FrozenTrial:
    """Return a trial that ran from second `start` to second `end`."""
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=value,
        datetime_start=datetime.fromtimestamp(start),
        datetime_complete=datetime.fromtimestamp(end),
        params=params,
        distributions=dict.fromkeys(params, IntDistribution(1, 99)),
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


def test_trials_become_child_runs_with_their_own_times(tmp_path: Path) -> None:
    registry = Registry(Volume(tmp_path))
    trials = [
        ended_trial(0, TrialState.COMPLETE, 0.5, {"num_leaves": 7}, 1, 3),
        ended_trial(1, TrialState.PRUNED, 0.3, {"num_leaves": 9}, 3, 4),
        ended_trial(2, TrialState.FAIL, None, {}, 4, 5),
    ]
    with registry.run("parent", {}) as run_id:
        log_trials(registry, run_id, trials, "average_precision")

    runs = registry.client.search_runs(
        [registry.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", order_by=["attribute.start_time"]
    )
    assert [
        (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.tags["state"],
            run.data.params,
            run.data.metrics,
        )
        for run in runs
    ] == [
        ("trial-000", "FINISHED", 1_000, 3_000, "COMPLETE", {"num_leaves": "7"}, {"average_precision": 0.5}),
        ("trial-001", "FINISHED", 3_000, 4_000, "PRUNED", {"num_leaves": "9"}, {}),
        ("trial-002", "FAILED", 4_000, 5_000, "FAIL", {}, {}),
    ]
