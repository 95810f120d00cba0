"""The evaluation in MLflow: parameters, metrics and the calibration plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sodai.data.catalog import EVALUATE
from sodai.model.registry import Registry
from sodai.report.charts import ACCENT, SOFT, WIDTH_INCHES, drawing


def log_evaluation(registry: Registry, record: Mapping[str, Any], scratch: Path) -> None:
    """Log the record EVALUATION as a run of MLflow; `scratch` is an empty folder for the plot."""
    metrics = {
        f"{name}.{metric}": value
        for kind in ("models", "baselines")
        for name, values in record[kind].items()
        for metric, value in values.items()
    }
    plot = scratch / "calibration.png"
    _plot_calibration(record["calibration"], plot)
    tags = {"stage": EVALUATE, "as_of": str(record["as_of"])}
    with registry.run(f"evaluate {record['as_of']}", tags) as run_id:
        registry.log(
            run_id,
            params={"promoted": record["promoted"], "reason": record["reason"], **record["published"]},
            metrics=metrics,
            files={"plots": [plot]},
        )


def _plot_calibration(bins: list[dict[str, float]], file: Path) -> None:
    table = pd.DataFrame(bins)
    with drawing(height=WIDTH_INCHES) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="dashed")
        axes.plot(table["mean_probability"], table["realised_share"], color=ACCENT, marker="o", markersize=4)
        axes.set(xlabel="mean probability", ylabel="share bought", title="Calibration on the closed period")
        figure.savefig(file, dpi=130, facecolor="white")
