"""What one run adds to the history, and what earlier predictions came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from sodai.data.catalog import LIST_LENGTH, METRICS
from sodai.evaluation.metrics import ranking_metrics, set_metrics

REALISED = ("realised_pairs", "realised_set_f1", "realised_recall_at_10")

# A JSON record of a stage, or one row of a table by column.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class WeekRecords:
    """What the stages left of one period.

    `drift` is None where no champion existed to compare with; `trials` is None where the week was
    not trained for. `runs` holds the run record of every stage that took part, in their order; those
    in `skipped` had nothing to do in the newest run, and their record is of an earlier one.
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
    def figures(self) -> Record:
        """Metrics of the model that the week was published with, on the newest closed period."""
        figures: Record = self.evaluation["models"][self.evaluation["published"]["role"]]
        return figures


def together(run: Record, shards: Sequence[Record]) -> Record:
    """The run record of a stage and of its shards as one: times added up, the largest peak memory."""
    times = {name: sum(one[name] for one in (run, *shards)) for name in ("wall_seconds", "cpu_seconds")}
    return {**run, **times, "peak_memory_mib": max(one["peak_memory_mib"] for one in (run, *shards))}


def history_row(records: WeekRecords) -> dict[str, Any]:
    """This run's row of HISTORY; what its predictions come to is not known yet."""
    figures, summary, runs = records.figures, records.summary, records.runs.values()
    return {
        "as_of": records.as_of,
        "horizon_days": summary["horizon_days"],
        "branch": records.decision["branch"],
        "rule": records.decision["rule"],
        "model_version": summary["model_version"],
        "promoted": records.evaluation["promoted"],
        "drift_share": records.decision["drift_share"],
        # Neither exists where all candidates were bought, or none.
        "roc_auc": figures.get("roc_auc"),
        "average_precision": figures.get("average_precision"),
        "recall_at_10": figures["recall_at_10"],
        "ndcg_at_10": figures["ndcg_at_10"],
        "set_f1": figures["set_f1"],
        "n_candidates": summary["n_candidates"],
        "n_selected": summary["n_selected"],
        "expected_pairs": summary["expected_pairs"],
        **dict.fromkeys(REALISED),
        "challenger_lead": None,
        "wall_seconds": sum(run["wall_seconds"] for run in runs),
        "peak_memory_mib": max(run["peak_memory_mib"] for run in runs),
    }


def with_row(history: Sequence[Record], row: Record) -> list[Record]:
    """The rows of HISTORY with `row` in place of any earlier row of the same period, in order of time.

    What its training was worth and what its predictions came to stays known where the same model is
    published again: only the runs of the periods after it find that out. Where a run loads what an
    earlier one trained for the period and promoted, the row goes on to tell of that training.
    """
    rows = {earlier["as_of"]: earlier for earlier in history}
    before = rows.get(row["as_of"])
    if before and before["model_version"] == row["model_version"]:
        if before["promoted"] and before["branch"] != row["branch"]:
            row = {**row, **{name: before[name] for name in ("branch", "rule", "promoted")}}
        if before["branch"] == row["branch"]:
            row = {**row, **{name: before[name] for name in ("challenger_lead", *REALISED)}}
    rows[row["as_of"]] = row
    return [rows[as_of] for as_of in sorted(rows)]


def closed_periods(history: Sequence[Record], as_of: date) -> dict[date, date]:
    """First day -> end (exclusive) of the periods of the history whose every day lies before `as_of`."""
    ends = {row["as_of"]: row["as_of"] + timedelta(days=row["horizon_days"]) for row in history}
    return {start: end for start, end in ends.items() if end <= as_of}


def known_on(history: Sequence[Record], as_of: date) -> list[Record]:
    """The rows up to that of `as_of`, without what periods came to that were not over by then."""
    closed, unknown = closed_periods(history, as_of), dict.fromkeys(REALISED)
    rows = [row for row in history if row["as_of"] <= as_of]
    return [row if row["as_of"] in closed else {**row, **unknown} for row in rows]


def realised(predictions: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """What published predictions came to.

    Args:
        predictions: customer_id, product_id, rank, selected of one closed period, at least those that
            are selected or on a list of ten.
        truth: customer_id, product_id, the distinct pairs bought in it.

    Returns:
        realised_pairs, realised_set_f1, realised_recall_at_10, as in HISTORY.
    """
    of_set = set_metrics(predictions[predictions["selected"]], truth)
    of_lists = ranking_metrics(predictions, truth, ks=(LIST_LENGTH,))
    found = of_set["n_bought"], of_set["set_f1"], of_lists[f"recall_at_{LIST_LENGTH}"]
    return dict(zip(REALISED, found, strict=True))


def with_realised(history: Sequence[Record], outcomes: Mapping[date, Record]) -> list[Record]:
    """The rows of HISTORY with the outcomes of closed periods filled in."""
    return [{**row, **outcomes.get(row["as_of"], {})} for row in history]


def challenger_lead(evaluation: Record) -> dict[date, Record]:
    """What the training of an earlier period was worth, as `with_realised` takes it; nothing if unknown."""
    training = evaluation["last_retraining"]
    if training is None or training["difference"] is None:
        return {}
    return {date.fromisoformat(training["as_of"]): {"challenger_lead": training["difference"]["mean"]}}


def run_tags(records: WeekRecords) -> dict[str, str]:
    """What the week's MLflow run is found by."""
    return {
        "stage": METRICS,
        "as_of": records.as_of.isoformat(),
        "branch": records.decision["branch"],
        "rule": records.decision["rule"],
        "model_version": str(records.summary["model_version"]),
        "promoted": str(records.evaluation["promoted"]).lower(),
    }


def flat_metrics(records: WeekRecords) -> dict[str, float]:
    """Every figure of the run under the name that MLflow keeps it by."""
    metrics: dict[str, float] = {}
    for kind in ("models", "baselines"):
        for name, figures in records.evaluation[kind].items():
            metrics |= {f"{name}.{metric}": float(value) for metric, value in figures.items()}
    for stage, run in records.runs.items():
        metrics[f"wall_seconds.{stage}"] = run["wall_seconds"]
        metrics[f"peak_memory_mib.{stage}"] = run["peak_memory_mib"]
    row = history_row(records)
    names = ("drift_share", "n_candidates", "n_selected", "expected_pairs", "wall_seconds", "peak_memory_mib")
    return metrics | {name: float(row[name]) for name in names if row[name] is not None}
