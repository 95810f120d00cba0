"""A small volume as evaluate_model leaves it: real stages on made data, then a small model."""

import json
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from typer.testing import CliRunner

from sodai.data.catalog import (
    DECISION,
    EVALUATION,
    PUBLISHED_MODEL,
    STAGES,
    TRAINING,
    TRIALS,
    Dataset,
    run_record,
)
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.trained_model import TrainedModel, build_pipeline, features_frame, fit_pipeline
from sodai.volume.volume import Volume
from support.sales_data import make_raw

N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 24, 14, 16
_PARAMS = {"n_estimators": 30, "learning_rate": 0.1, "num_leaves": 7, "min_child_samples": 5}


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: its exit code, its JSON result line and its log."""

    code: int
    result: dict[str, Any]
    log: str


def run_stage(stage: str, root: Path, as_of: str, *options: str) -> Outcome:
    """Run a stage's command in this process alone, which spares its imports, on the volume `root`.

    It runs though nothing changed, unless an option says `--no-force`: what a test looks at is its work.
    """
    # What is imported already runs in no process beside this one, see `sodai.runtime.concurrency`.
    for module in pkgutil.iter_modules(import_module(stage).__path__, f"{stage}."):
        if not module.name.endswith(".__main__"):
            import_module(module.name)
    app = typer.Typer(add_completion=False)
    app.command()(getattr(import_module(f"{stage}.cli"), stage))
    done = CliRunner(env={"MLFLOW_TRACKING_URI": None}).invoke(
        app, ["--as-of", as_of, "--data", str(root), "--force", *options]
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    lines = done.stdout.splitlines()
    return Outcome(done.exit_code, json.loads(lines[-1]) if lines else {}, done.stderr)


def start_stage(stage: str, root: Path, as_of: str, *options: str) -> subprocess.Popen[str]:
    """Start a stage as its container does; like `run_stage`, it runs though nothing changed."""
    here = Path(__file__).parents[2]
    paths = os.pathsep.join(str(here / folder) for folder in ("shared", "stages"))
    return subprocess.Popen(
        [sys.executable, "-m", stage, "--as-of", as_of, "--data", str(root), "--force", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def files_of(root: Path) -> dict[str, bytes]:
    """Every file of the volume but MLflow's and its content; equal before and after means untouched."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found if "mlflow" not in path.parts}


@dataclass(frozen=True)
class ScoredWeek:
    """The root of a volume that ends with a published model, and the first day to predict."""

    root: Path
    as_of: date


def make_scored_week(root: Path) -> ScoredWeek:
    """Fill `root` with made data, its features and a published model."""
    made = make_raw(root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS)
    for stage in ("extract_and_validate_data", "create_features"):
        process = start_stage(stage, root, made.as_of.isoformat())
        _, log = process.communicate()
        assert process.returncode == 0, log
    volume = Volume(root)
    small_model(volume, made.as_of).save(volume.path(PUBLISHED_MODEL, made.as_of))
    return ScoredWeek(root, made.as_of)


def small_model(volume: Volume, as_of: date) -> TrainedModel:
    """A model of the training table of the week, good enough to rank habits."""
    training = volume.read(TRAINING, as_of)
    X, y = features_frame(training), training["target"].to_numpy()
    pipeline = fit_pipeline(build_pipeline(_PARAMS, seed=0), X, y, np.ones(len(y)))
    card = {
        "version": "1",
        "features": FEATURE_NAMES,
        "horizon_days": 7,
        "missing_share": 0.05,
        "calibration": {"slope": 1.0, "intercept": 0.0},
    }
    return TrainedModel(pipeline, card)


def write_record(volume: Volume, dataset: Dataset, as_of: date, record: Mapping[str, Any]) -> None:
    """Put a JSON record where a stage would."""
    path = volume.path(dataset, as_of)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def write_training(volume: Volume, as_of: date, table: pa.Table) -> None:
    """Put another training table in place of the stage's."""
    folder = volume.path(TRAINING, as_of)
    shutil.rmtree(folder)
    folder.mkdir()
    pq.write_table(table, folder / "made.parquet")


def write_verdict(volume: Volume, as_of: date, first: bool = True) -> None:
    """Decision, evaluation and run records by hand.

    Args:
        first: trained because there was no champion; otherwise the champion stays in use.
    """
    role, branch = ("challenger", "retrain_model") if first else ("champion", "load_existing_model")
    write_record(
        volume,
        DECISION,
        as_of,
        {
            "as_of": as_of.isoformat(),
            "branch": branch,
            "rule": "no_champion" if first else "none",
            "reason": "there is no champion yet" if first else "no rule asks for training",
            "champion_version": None if first else "1",
            "signals": [
                {
                    "name": "no_champion",
                    "value": float(first),
                    "threshold": 1.0,
                    "fired": first,
                    "would_flip": "a champion in the registry",
                }
            ],
            "drift_share": None if first else 0.125,
        },
    )
    write_record(
        volume,
        EVALUATION,
        as_of,
        {
            "as_of": as_of.isoformat(),
            "evaluated_period": {"as_of": as_of.isoformat(), "horizon_days": 7},
            "models": {role: metrics_at(0.6)},
            "seen": {role: False},
            "n_customers": 24,
            "baselines": {
                "bought_last_week": metrics_at(0.4),
                "bought_3_of_8_weeks": metrics_at(0.5),
                "decayed_frequency": metrics_at(0.55),
            },
            "promoted": first,
            "reason": "first version: there was no champion" if first else "no challenger",
            "groups": [],
            "last_retraining": None,
            "published": {"version": "1", "role": role},
            "calibration": [
                {"n_rows": 50, "mean_probability": 0.1, "realised_share": 0.12},
                {"n_rows": 50, "mean_probability": 0.6, "realised_share": 0.55},
            ],
        },
    )
    if first:
        write_record(
            volume,
            TRIALS,
            as_of,
            {
                "best_trial": 1,
                "best_value": 0.61,
                "metric": "average_precision",
                "finalists": [{"number": 1}],
                "trials": [
                    {"number": 0, "state": "PRUNED", "value": None, "params": {}},
                    {"number": 1, "state": "COMPLETE", "value": 0.61, "params": {}},
                ],
            },
        )
    for position, stage in enumerate(STAGES[:-1], start=1):
        run = {"wall_seconds": float(position), "cpu_seconds": 2.0 * position, "peak_memory_mib": 100.0}
        write_record(volume, run_record(stage), as_of, {"stage": stage, "started": 0.0, "result": {}, **run})


def metrics_at(level: float) -> dict[str, float]:
    """The figures of a model or rule in an evaluation, all alike."""
    names = ("set_f1", "recall_at_10", "ndcg_at_10", "precision_at_10", "hit_rate_at_10")
    more = ("roc_auc", "average_precision", "calibration_error")
    return dict.fromkeys((*names, *more), level)
