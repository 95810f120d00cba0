"""The sections of the run's page about one period, in the form that the template takes."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from log_pipeline_metrics.core_charts import trial_dots, weekly_bars
from log_pipeline_metrics.core_examples import Example
from log_pipeline_metrics.core_labels import BRANCHES, CONTENDERS, METRICS, duration, number, sentence
from log_pipeline_metrics.core_week import Record, WeekResults
from sodai.evaluation.drift_sample import PREDICTION
from sodai.report.pages import Bar, Heading

Section = dict[str, Any]

N_DRIFT_BARS = 8
N_IMPORTANCE_BARS = 12


def tiles(week: WeekResults) -> list[tuple[str, str, str, str]]:
    """Return label, figure, note and tone of the tiles at the top."""
    summary, metrics, drift = week.summary, week.metrics, week.decision["drift_share"]
    rule, rival = max(
        ((name, baseline["recall_at_10"]) for name, baseline in week.evaluation["baselines"].items()),
        key=lambda item: item[1],
    )
    return [
        ("customers with a list", *customers_with_lists(summary), ""),
        (
            "expected purchases",
            f"{summary['expected_pairs']:,.0f}",
            f"{summary['n_selected']:,} pairs in the predicted set",
            "",
        ),
        (
            "recall at 10",
            f"{metrics['recall_at_10']:.3f}",
            f"{rival:.3f} by the rule {CONTENDERS[rule]}",
            "good" if metrics["recall_at_10"] >= rival else "bad",
        ),
        ("F1 of the set", f"{metrics['set_f1']:.3f}", "on the newest closed period", ""),
        (
            "drifted columns",
            "–" if drift is None else f"{drift:.0%}",
            "no champion to compare with" if drift is None else "of the tested columns",
            "",
        ),
        ("the run", duration(week.wall_seconds), f"{week.peak_memory_mib:,.0f} MiB at most", ""),
    ]


def customers_with_lists(summary: Record) -> tuple[str, str]:
    """Return the number of customers with products, and in words how many of them have all `k`.

    Args:
        summary: PREDICTION_SUMMARY; its `short_lists` includes customers without any product.
    """
    full, k = summary["n_customers_with_full_list"], summary["k"]
    listed = full + sum(n_products > 0 for n_products in summary["short_lists"].values())
    of_them = f"{k} products each" if listed == full else f"{full:,} with all {k} products"
    return f"{listed:,}", f"of {summary['n_customers']:,}, {of_them}"


def decision(week: WeekResults) -> Section:
    """Return the branch taken, and every signal with the change that would have flipped it."""
    headings = [Heading("signal"), Heading("value", "number"), Heading("threshold", "number")]
    headings += [Heading("fired"), Heading("change that would have flipped it", "wide")]
    rows = [
        (
            signal["name"].replace("_", " "),
            number(signal["value"], ".3g"),
            number(signal["threshold"], ".3g"),
            "yes" if signal["fired"] else "no",
            signal["would_flip"],
        )
        for signal in week.decision["signals"]
    ]
    return {
        "branch": BRANCHES[week.decision["branch"]],
        "reason": sentence(week.decision["reason"]),
        "columns": headings,
        "rows": rows,
    }


def promotion(evaluation: Record) -> Section:
    """Return whether the challenger was promoted, and its difference for each group of customers."""
    headings = [Heading("group"), Heading("customers", "number"), Heading("NDCG", "number")]
    headings += [Heading("95 % from", "number"), Heading("to", "number")]
    return {
        "promoted": evaluation["promoted"],
        "reason": sentence(evaluation["reason"]),
        "columns": headings,
        "rows": [
            (
                f"{group['by'].replace('_', ' ')}: {group['group']}",
                f"{group['n_customers']:,}",
                *(number(group[name], "+.4f") for name in ("mean", "low", "high")),
            )
            for group in evaluation["groups"]
        ],
    }


def quality(record: Record) -> Section:
    """Return how many rows of the raw files were kept, and the purchases of every week."""
    totals = record["totals"]
    n_rows = totals["rows"] or 1
    fates = {
        "kept as purchases": ("kept", "good"),
        "netted with a cancellation": ("netted", ""),
        "exact duplicates": ("duplicates", ""),
        "quarantined": ("quarantined", "bad"),
    }
    weeks = record["weeks"]
    return {
        "n_rows": totals["rows"],
        "n_files": len(record["files"]),
        "last_date": weeks[-1]["last_date"],
        "n_later": record["as_of_or_later"]["lines"],
        "bars": [
            Bar(title, totals[name] / n_rows, f"{totals[name]:,}", tone)
            for title, (name, tone) in fates.items()
        ],
        "reasons": record["reasons"],
        "notes": record["notes"],
        "weeks": weekly_bars(
            "pairs bought by week",
            [date.fromisoformat(week["week"]) for week in weeks],
            [week["pairs"] for week in weeks],
        ),
    }


def training(week: WeekResults) -> Section | None:
    """Return the search for parameters; None in a week that kept the champion."""
    if week.trials is None:
        return None
    trials = week.trials["trials"]
    done = [trial for trial in trials if trial["value"] is not None]
    return {
        "n_trials": len(trials),
        "n_complete": len(done),
        "n_finalists": len(week.trials["finalists"]),
        "metric": METRICS[week.trials["metric"]].lower(),
        "best_value": week.trials["best_value"],
        "best_trial": week.trials["best_trial"],
        "plot": trial_dots(
            "trials of the search",
            [trial["number"] for trial in done],
            [trial["value"] for trial in done],
            week.trials["best_trial"],
        ),
    }


def drift(week: WeekResults) -> Section | None:
    """Return the columns that drifted most; None without a reference."""
    if week.drift is None:
        return None
    tested = [row for row in week.drift if row["column"] != PREDICTION]
    by_ratio = sorted(
        ((row["score"] / row["threshold"], row) for row in tested),
        key=lambda item: (-item[0], item[1]["column"]),
    )
    bars = [
        Bar(f"{row['column']}", min(ratio / 2, 1.0), f"{ratio:.2f}", "bad" if row["drifted"] else "", 0.5)
        for ratio, row in by_ratio[:N_DRIFT_BARS]
    ]
    n_drifted = sum(row["drifted"] for row in tested)
    return {"n_drifted": n_drifted, "n_tested": len(tested), "bars": bars}


def metrics(evaluation: Record) -> list[Section]:
    """Return every metric with the figures of models and baselines."""
    published = evaluation["published"]["role"]
    contenders = {**evaluation["models"], **evaluation["baselines"]}
    return [
        {
            "title": title,
            "bars": [
                Bar(
                    CONTENDERS[name],
                    figures[metric],
                    f"{figures[metric]:.3f}",
                    "good" if name == published else "",
                )
                for name, figures in contenders.items()
                if metric in figures
            ],
        }
        for metric, title in METRICS.items()
    ]


def importance(rows: Sequence[Record]) -> Section:
    """Return the strongest features, and the sum of each group."""
    largest = max((row["share"] for row in rows), default=0) or 1.0
    groups: dict[str, float] = {}
    for row in rows:
        groups[row["group"]] = groups.get(row["group"], 0.0) + row["share"]
    ordered = sorted(groups.items(), key=lambda item: -item[1])
    return {
        "bars": [
            Bar(row["feature"], row["share"] / largest, f"{row['share']:.1%}", "good")
            for row in rows[:N_IMPORTANCE_BARS]
        ],
        "groups": [Bar(group, share, f"{share:.0%}") for group, share in ordered],
    }


def example(one: Example) -> Section:
    """Return the list of one customer as bars of probability, and the reasons of its first product."""
    return {
        "title": f"{one.customer.customer_type}, {one.customer.n_customers:,} customers",
        "customer_id": one.customer.customer_id,
        "bars": [
            Bar(
                f"{item['name']} ({item['product_id']})" if item["name"] else str(item["product_id"]),
                item["probability"],
                f"{item['probability']:.0%}",
                "good" if item["selected"] else "",
            )
            for item in one.products
        ],
        "reasons": one.products[0]["reasons"],
    }


def costs(week: WeekResults) -> Section:
    """Return wall time and peak memory of every stage."""
    runs = list(week.runs.values())
    slowest = max(run["wall_seconds"] for run in runs) or 1.0
    largest = week.peak_memory_mib or 1.0
    return {
        "seconds": [
            Bar(run["stage"], run["wall_seconds"] / slowest, f"{run['wall_seconds']:,.1f}") for run in runs
        ],
        "memory": [
            Bar(run["stage"], run["peak_memory_mib"] / largest, f"{run['peak_memory_mib']:,.0f}")
            for run in runs
        ],
        "wall": duration(week.wall_seconds),
        "cpu": duration(sum(run["cpu_seconds"] for run in runs)),
        "skipped": ", ".join(week.skipped),
    }
