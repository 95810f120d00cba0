"""What is kept of a training beside the model: the drift reference, the trials and their plots."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from optuna.trial import TrialState

from retrain_model.core_search import Finalist
from retrain_model.trial_runs import Trial
from sodai.data.catalog import REFERENCE
from sodai.evaluation.drift_sample import sample_one_per_entity

REFERENCE_PERIODS = 8
_PLOTS = ("plot_optimization_history", "plot_param_importances", "plot_slice")


def reference(table: pa.Table, seed: int) -> pa.Table:
    """The columns of REFERENCE from the newest training periods.

    Args:
        table: the columns of TRAINING.
        seed: of the draw of one row a customer and product.
    """
    cutoffs = sorted(pc.unique(table["cutoff"]).to_pylist())[-REFERENCE_PERIODS:]
    parts = []
    for cutoff in cutoffs:
        candidates = table.filter(pc.field("cutoff") == pa.scalar(cutoff)).to_pandas()
        parts.append(sample_one_per_entity(candidates, seed))
    rows = pd.concat(parts, ignore_index=True)
    return pa.Table.from_pandas(
        rows[REFERENCE.contract.names], REFERENCE.contract.schema, preserve_index=False
    )


def trials(study: optuna.Study) -> list[Trial]:
    """The trials of a study as child runs show them."""
    return [
        Trial(
            trial.number,
            trial.state.name,
            trial.value if trial.state == TrialState.COMPLETE else None,
            trial.params,
            int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0,
            int(trial.datetime_complete.timestamp() * 1000) if trial.datetime_complete else 0,
        )
        for trial in study.trials
    ]


def study_record(study: optuna.Study, finalists: Sequence[Finalist]) -> dict[str, Any]:
    """The record TRIALS.

    Args:
        study: with its trials, each with its value on the rows of the search.
        finalists: the best of them on many rows, best first; the first gave the model its parameters.
    """
    return {
        "best_trial": finalists[0].number,
        "best_value": finalists[0].average_precision,
        "metric": "average_precision",
        "finalists": [asdict(each) for each in finalists],
        "trials": [
            {"number": trial.number, "state": trial.state, "value": trial.value, "params": trial.params}
            for trial in trials(study)
        ],
    }


def study_plots(study: optuna.Study, folder: Path) -> list[Path]:
    """Optuna's own plots as PNG files; importances need two completed trials that differ.

    Optuna warns that they are experimental.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from optuna import visualization

    values = {trial.value for trial in study.trials if trial.state == TrialState.COMPLETE}
    files = []
    for name in _PLOTS:
        if name == "plot_param_importances" and len(values) < 2:
            continue
        getattr(visualization.matplotlib, name)(study)
        files.append(folder / f"{name}.png")
        plt.savefig(files[-1], dpi=80, bbox_inches="tight")
        plt.close("all")
    return files
