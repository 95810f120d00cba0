"""The outputs of a training on the volume and in MLflow: drift reference, trials, plots and model."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import optuna
import pyarrow as pa
from matplotlib import pyplot as plt
from optuna import visualization

from retrain_model.core_reference import sample_reference
from retrain_model.core_search import Finalist
from retrain_model.registration import completed_value, log_trials, register_challenger
from sodai.data.catalog import REFERENCE, RETRAIN, RETRAINED_MODEL, TRIALS
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, features_frame
from sodai.volume.attempt import Attempt

METRIC = "average_precision"
_PLOTS = ("plot_optimization_history", "plot_param_importances", "plot_slice")


def write_outputs(
    attempt: Attempt,
    registry: Registry,
    model: TrainedModel,
    study: optuna.Study,
    finalists: Sequence[Finalist],
    plots: list[Path],
    table: pa.Table,
) -> TrainedModel:
    """Write the outputs and register the model as the challenger; return it with its version.

    Args:
        attempt: of this run.
        registry: of the pipeline.
        model: not registered yet.
        study: of its parameters.
        finalists: best first; the model has the parameters of the first.
        plots: files of `plot_study`.
        table: the training rows.
    """
    # The version in the registry keeps the reference, so it is written first.
    attempt.write(REFERENCE, sample_reference(table, model.card["seed"]))
    attempt.write_json(TRIALS, _study_record(study, finalists))
    tags = {"stage": RETRAIN, "as_of": model.card["as_of"]}
    with registry.run(f"retrain {model.card['as_of']}", tags) as run_id:
        registry.log(
            run_id,
            params={**model.card["params"], "n_training_rows": model.card["n_training_rows"]},
            metrics={METRIC: model.card[METRIC]},
            files={"study": plots},
        )
        log_trials(registry, run_id, study.trials, METRIC)
        example = features_frame(table.slice(0, 100))
        model = register_challenger(registry, run_id, model, example, [attempt.path(REFERENCE)])
    model.save(attempt.path(RETRAINED_MODEL))
    return model


def plot_study(study: optuna.Study, folder: Path) -> list[Path]:
    """Draw Optuna's own plots as PNG files, which it warns are experimental.

    Importances are left out without two completed trials of different values.
    """
    matplotlib.use("Agg")
    values = {value for trial in study.trials if (value := completed_value(trial)) is not None}
    files = []
    for name in _PLOTS:
        if name == "plot_param_importances" and len(values) < 2:
            continue
        getattr(visualization.matplotlib, name)(study)
        files.append(folder / f"{name}.png")
        plt.savefig(files[-1], dpi=80, bbox_inches="tight")
        plt.close("all")
    return files


def _study_record(study: optuna.Study, finalists: Sequence[Finalist]) -> dict[str, Any]:
    return {
        "best_trial": finalists[0].number,
        "best_value": finalists[0].average_precision,
        "metric": METRIC,
        "finalists": [asdict(finalist) for finalist in finalists],
        "trials": [
            {
                "number": trial.number,
                "state": trial.state.name,
                "value": completed_value(trial),
                "params": trial.params,
            }
            for trial in study.trials
        ],
    }
