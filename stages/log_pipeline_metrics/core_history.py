"""The history of all periods: the row of a run, and the outcomes of earlier ones."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from log_pipeline_metrics.core_week import Record, WeekResults
from sodai.data.catalog import LIST_LENGTH
from sodai.evaluation.metrics import ranking_metrics, set_metrics

REALISED = ("realised_pairs", "realised_set_f1", "realised_recall_at_10")


def history_row(week: WeekResults) -> Record:
    """Return the row of a run in HISTORY, without outcomes."""
    metrics, summary = week.metrics, week.summary
    return {
        "as_of": week.as_of,
        "horizon_days": summary["horizon_days"],
        "branch": week.decision["branch"],
        "rule": week.decision["rule"],
        "model_version": summary["model_version"],
        "promoted": week.evaluation["promoted"],
        "drift_share": week.decision["drift_share"],
        # Undefined if all candidates were bought, or none.
        "roc_auc": metrics.get("roc_auc"),
        "average_precision": metrics.get("average_precision"),
        "recall_at_10": metrics["recall_at_10"],
        "ndcg_at_10": metrics["ndcg_at_10"],
        "set_f1": metrics["set_f1"],
        "n_candidates": summary["n_candidates"],
        "n_selected": summary["n_selected"],
        "expected_pairs": summary["expected_pairs"],
        **dict.fromkeys(REALISED),
        "challenger_lead": None,
        "wall_seconds": week.wall_seconds,
        "peak_memory_mib": week.peak_memory_mib,
    }


def replace_row(history: Sequence[Record], row: Record) -> list[Record]:
    """Return the history with `row` instead of an earlier row of the same period, in order of time.

    Outcomes and the lead of the training are kept if the same model is published again.
    """
    rows = {earlier["as_of"]: earlier for earlier in history}
    before = rows.get(row["as_of"])
    if before and before["model_version"] == row["model_version"]:
        if before["promoted"] and before["branch"] != row["branch"]:
            # An earlier run trained for the period, this one loads its model: the row keeps the training.
            row = {**row, **{name: before[name] for name in ("branch", "rule", "promoted")}}
        if before["branch"] == row["branch"]:
            # Only runs of later periods compute these.
            row = {**row, **{name: before[name] for name in ("challenger_lead", *REALISED)}}
    rows[row["as_of"]] = row
    return [rows[as_of] for as_of in sorted(rows)]


def closed_periods(history: Sequence[Record], as_of: date) -> dict[date, date]:
    """Return first day -> end (exclusive) of the periods of the history that were over on `as_of`."""
    ends = {row["as_of"]: row["as_of"] + timedelta(days=row["horizon_days"]) for row in history}
    return {start: end for start, end in ends.items() if end <= as_of}


def history_until(history: Sequence[Record], as_of: date) -> list[Record]:
    """Return the rows up to that of `as_of`, without outcomes of periods that were not over then."""
    closed, unknown = closed_periods(history, as_of), dict.fromkeys(REALISED)
    rows = [row for row in history if row["as_of"] <= as_of]
    return [row if row["as_of"] in closed else {**row, **unknown} for row in rows]


def realised_metrics(predictions: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Return the outcome of published predictions: the columns of HISTORY in `REALISED`.

    Args:
        predictions: customer_id, product_id, rank, selected of one closed period, at least those that
            are selected or on a list of ten.
        truth: customer_id, product_id: the distinct pairs bought in it.
    """
    of_set = set_metrics(predictions[predictions["selected"]], truth)
    of_lists = ranking_metrics(predictions, truth, ks=(LIST_LENGTH,))
    outcome = of_set["n_bought"], of_set["set_f1"], of_lists[f"recall_at_{LIST_LENGTH}"]
    return dict(zip(REALISED, outcome, strict=True))


def update_rows(history: Sequence[Record], changes: Mapping[date, Record]) -> list[Record]:
    """Return the history with other values in the rows of some periods."""
    return [{**row, **changes.get(row["as_of"], {})} for row in history]


def challenger_leads(evaluation: Record) -> dict[date, Record]:
    """Return the lead of the training of an earlier period for `update_rows`; empty if it is unknown."""
    training = evaluation["last_retraining"]
    if training is None or training["difference"] is None:
        return {}
    return {date.fromisoformat(training["as_of"]): {"challenger_lead": training["difference"]["mean"]}}
