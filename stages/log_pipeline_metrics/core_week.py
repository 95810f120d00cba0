"""The results of the stages for one period, and what MLflow keeps of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sodai.data.catalog import METRICS

# A JSON record of a stage, or one row of a table by column.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class WeekResults:
    """Records and tables that the stages wrote for one period.

    Attributes:
        as_of: first day of the period.
        decision, quality, evaluation, summary: DECISION, QUALITY, EVALUATION, PREDICTION_SUMMARY.
        runs: stage -> run record, of the stages that took part, in their order.
        skipped: stages that were up to date in the newest run; their record is of an earlier one.
        importance: the rows of IMPORTANCE.
        drift: the rows of DRIFT_TABLE; None without a champion to compare with.
        trials: TRIALS; None if the period was not trained for.
    """

    as_of: date
    decision: Record
    quality: Record
    evaluation: Record
    summary: Record
    runs: Mapping[str, Record]
    skipped: Sequence[str]
    importance: Sequence[Record]
    drift: Sequence[Record] | None
    trials: Record | None

    @property
    def metrics(self) -> Record:
        """Return the metrics of the published model on the newest closed period."""
        return self.evaluation["models"][self.evaluation["published"]["role"]]

    @property
    def wall_seconds(self) -> float:
        """Return the time of all stages together."""
        return sum(run["wall_seconds"] for run in self.runs.values())

    @property
    def peak_memory_mib(self) -> float:
        """Return the largest memory of a stage."""
        return max(run["peak_memory_mib"] for run in self.runs.values())


def combine_shards(run: Record, shards: Sequence[Record]) -> Record:
    """Return the run record of a stage with the times of its shards added and the largest peak memory."""
    runs = (run, *shards)
    times = {name: sum(each[name] for each in runs) for name in ("wall_seconds", "cpu_seconds")}
    return {**run, **times, "peak_memory_mib": max(each["peak_memory_mib"] for each in runs)}


def run_tags(week: WeekResults) -> dict[str, str]:
    """Return the tags by which the MLflow run of a week is found."""
    return {
        "stage": METRICS,
        "as_of": week.as_of.isoformat(),
        "branch": week.decision["branch"],
        "rule": week.decision["rule"],
        "model_version": str(week.summary["model_version"]),
        "promoted": str(week.evaluation["promoted"]).lower(),
    }


def run_metrics(week: WeekResults) -> dict[str, float]:
    """Return every figure of the week by its name in MLflow."""
    metrics: dict[str, float] = {}
    for kind in ("models", "baselines"):
        for name, figures in week.evaluation[kind].items():
            metrics |= {f"{name}.{metric}": float(value) for metric, value in figures.items()}
    for stage, run in week.runs.items():
        metrics[f"wall_seconds.{stage}"] = run["wall_seconds"]
        metrics[f"peak_memory_mib.{stage}"] = run["peak_memory_mib"]
    if week.decision["drift_share"] is not None:
        metrics["drift_share"] = week.decision["drift_share"]
    metrics |= {name: float(week.summary[name]) for name in ("n_candidates", "n_selected", "expected_pairs")}
    return {**metrics, "wall_seconds": week.wall_seconds, "peak_memory_mib": week.peak_memory_mib}
