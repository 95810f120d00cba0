"""A small volume with features from real stages on synthetic sales, and a published model."""

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
    """The end of a stage: exit code, JSON result line and log."""

    code: int
    result: dict[str, Any]
    log: str


def run_stage(stage: str, root: Path, as_of: str, *options: str) -> Outcome:
    """Run a stage's command on the volume `root`, in this process, which saves its imports.

    It runs even if nothing changed, unless an option says `--no-force`.
    """
    # Modules that are imported already run in no process of their own, see `sodai.runtime.concurrency`.
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
    """Start a stage as its container does; like `run_stage`, it runs even if nothing changed."""
    repository = Path(__file__).parents[2]
    paths = os.pathsep.join(str(repository / folder) for folder in ("shared", "stages"))
    return subprocess.Popen(
        [sys.executable, "-m", stage, "--as-of", as_of, "--data", str(root), "--force", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def files_of(root: Path) -> dict[str, bytes]:
    """Return path -> content of every file of a volume except MLflow's."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files if "mlflow" not in path.parts}


@dataclass(frozen=True)
class WeekWithModel:
    """The root of a volume up to the published model, and the first day to predict."""

    root: Path
    as_of: date


def build_week_with_model(root: Path) -> WeekWithModel:
    """Fill `root` with synthetic sales, their features and a published model."""
    raw = make_raw(root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS)
    for stage in ("extract_and_validate_data", "create_features"):
        outcome = run_stage(stage, root, raw.as_of.isoformat())
        assert outcome.code == 0, outcome.log
    volume = Volume(root)
    small_model(volume, raw.as_of).save(volume.path(PUBLISHED_MODEL, raw.as_of))
    return WeekWithModel(root, raw.as_of)


def small_model(volume: Volume, as_of: date) -> TrainedModel:
    """Fit a model on the training table of the week, good enough to rank repeat purchases."""
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
    """Write a JSON record in the place of a stage's own."""
    path = volume.path(dataset, as_of)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def write_training(volume: Volume, as_of: date, table: pa.Table) -> None:
    """Replace the training table of a stage."""
    folder = volume.path(TRAINING, as_of)
    shutil.rmtree(folder)
    folder.mkdir()
    pq.write_table(table, folder / "synthetic.parquet")


def write_decision_and_evaluation(volume: Volume, as_of: date, first: bool = True) -> None:
    """Write a decision, an evaluation and the run records of all stages.

    Args:
        first: the week trains because there is no champion; otherwise the champion stays in use.
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
            "models": {role: equal_metrics(0.6)},
            "seen": {role: False},
            "n_customers": 24,
            "baselines": {
                "bought_last_week": equal_metrics(0.4),
                "bought_3_of_8_weeks": equal_metrics(0.5),
                "decayed_frequency": equal_metrics(0.55),
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


def equal_metrics(level: float) -> dict[str, float]:
    """Return the metrics of a model or rule in an evaluation, all of the same value."""
    names = ("set_f1", "recall_at_10", "ndcg_at_10", "precision_at_10", "hit_rate_at_10")
    more = ("roc_auc", "average_precision", "calibration_error")
    return dict.fromkeys((*names, *more), level)
