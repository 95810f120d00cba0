"""What each section of the run's page shows, as the template takes it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from log_pipeline_metrics.core import Record, WeekRecords
from log_pipeline_metrics.core_charts import trial_dots, weekly_bars, weekly_lines
from log_pipeline_metrics.core_examples import Example
from log_pipeline_metrics.core_words import BRANCHES, CONTENDERS, METRICS, duration, number, sentence
from sodai.data.catalog import RETRAIN
from sodai.evaluation.drift_sample import PREDICTION
from sodai.report.pages import Bar, Heading

Section = dict[str, Any]

N_DRIFT_BARS = 8
N_IMPORTANCE_BARS = 12
N_HISTORY_ROWS = 12


def tiles(records: WeekRecords) -> list[tuple[str, str, str, str]]:
    """Label, figure, note and tone of the figures at the top."""
    summary, figures, drift = records.summary, records.figures, records.decision["drift_share"]
    rule, rival = max(
        ((name, baseline["recall_at_10"]) for name, baseline in records.evaluation["baselines"].items()),
        key=lambda item: item[1],
    )
    seconds = sum(run["wall_seconds"] for run in records.runs.values())
    memory = max(run["peak_memory_mib"] for run in records.runs.values())
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
            f"{figures['recall_at_10']:.3f}",
            f"{rival:.3f} by the rule {CONTENDERS[rule]}",
            "good" if figures["recall_at_10"] >= rival else "bad",
        ),
        ("F1 of the set", f"{figures['set_f1']:.3f}", "on the newest closed period", ""),
        (
            "drifted columns",
            "–" if drift is None else f"{drift:.0%}",
            "no champion to compare with" if drift is None else "of the tested columns",
            "",
        ),
        ("the run", duration(seconds), f"{memory:,.0f} MiB at most", ""),
    ]


def customers_with_lists(summary: Record) -> tuple[str, str]:
    """How many customers got products, and how many of them as many as were asked for.

    Args:
        summary: PREDICTION_SUMMARY, whose `short_lists` counts customers without any product too.
    """
    full, k = summary["n_customers_with_full_list"], summary["k"]
    listed = full + sum(n_products > 0 for n_products in summary["short_lists"].values())
    of_them = f"{k} products each" if listed == full else f"{full:,} with all {k} products"
    return f"{listed:,}", f"of {summary['n_customers']:,}, {of_them}"


def decision(records: WeekRecords) -> Section:
    """The branch taken, and every signal with what would have flipped it."""
    headings = [Heading("signal"), Heading("value", "number"), Heading("threshold", "number")]
    headings += [Heading("fired"), Heading("what would have flipped it", "wide")]
    rows = [
        (
            signal["name"].replace("_", " "),
            number(signal["value"], ".3g"),
            number(signal["threshold"], ".3g"),
            "yes" if signal["fired"] else "no",
            signal["would_flip"],
        )
        for signal in records.decision["signals"]
    ]
    return {
        "branch": BRANCHES[records.decision["branch"]],
        "reason": sentence(records.decision["reason"]),
        "columns": headings,
        "rows": rows,
    }


def promotion(evaluation: Record) -> Section:
    """Whether the champion changed, and how its challenger does for each group of customers."""
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
    """What became of every row of the raw files, and the purchases of every week."""
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


def training(records: WeekRecords) -> Section | None:
    """The search for parameters; None in a week that kept the champion in use."""
    if records.trials is None:
        return None
    trials = records.trials["trials"]
    done = [trial for trial in trials if trial["value"] is not None]
    return {
        "n_trials": len(trials),
        "n_complete": len(done),
        "n_finalists": len(records.trials["finalists"]),
        "metric": METRICS[records.trials["metric"]].lower(),
        "best_value": records.trials["best_value"],
        "best_trial": records.trials["best_trial"],
        "plot": trial_dots(
            "trials of the search",
            [trial["number"] for trial in done],
            [trial["value"] for trial in done],
            records.trials["best_trial"],
        ),
    }


def drift(records: WeekRecords) -> Section | None:
    """The columns that moved most; None without a reference."""
    if records.drift is None:
        return None
    tested = [row for row in records.drift if row["column"] != PREDICTION]
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
    """Every metric of the models and the rules beside each other."""
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


def history_plots(history: Sequence[Record]) -> list[Section]:
    """Titles and plots over the weeks: what was measured before, and what came true."""
    weeks = [row["as_of"] for row in history]

    def lines(title: str, from_zero: bool = True, **columns: str) -> Section:
        named = [
            (label.replace("_", " "), [row[column] for row in history]) for label, column in columns.items()
        ]
        return {"title": title, "svg": weekly_lines(f"{title}, by week", weeks, named, from_zero)}

    return [
        lines("F1 of the predicted set", came_true="realised_set_f1", on_the_period_before="set_f1"),
        lines("Pairs that buy", came_true="realised_pairs", expected="expected_pairs"),
        lines(
            "Recall at 10",
            from_zero=False,
            came_true="realised_recall_at_10",
            on_the_period_before="recall_at_10",
        ),
        lines("Drifted share of columns", drift="drift_share"),
        lines("Time of the run, seconds", seconds="wall_seconds"),
        lines("Peak memory, MiB", memory="peak_memory_mib"),
    ]


def history_table(history: Sequence[Record]) -> Section:
    """The newest weeks, newest first."""
    names = ("AUC", "R@10", "set F1", "expected", "came true", "R@10 then", "set F1 then")
    headings = [Heading("week of"), Heading("model"), Heading("version", "number")]
    headings += [Heading(name, "number") for name in names]
    rows = [
        (
            row["as_of"].isoformat(),
            BRANCHES[row["branch"]] + (", promoted" if row["promoted"] else ""),
            row["model_version"],
            number(row["roc_auc"]),
            number(row["recall_at_10"]),
            number(row["set_f1"]),
            number(row["expected_pairs"], ",.0f"),
            number(row["realised_pairs"], ",.0f"),
            number(row["realised_recall_at_10"]),
            number(row["realised_set_f1"]),
        )
        for row in reversed(history[-N_HISTORY_ROWS:])
    ]
    return {"columns": headings, "rows": rows}


def outcome(history: Sequence[Record]) -> str:
    """What the newest closed period came to, in a sentence."""
    closed = [row for row in history if row["realised_pairs"] is not None]
    if not closed:
        return "What published lists come to is known once their period is over: none is yet."
    newest = closed[-1]
    return (
        f"The week of {newest['as_of']} was expected to bring {newest['expected_pairs']:,.0f} pairs and "
        f"brought {newest['realised_pairs']:,.0f}; its predicted set came to an F1 of "
        f"{newest['realised_set_f1']:.3f}."
    )


def trainings(history: Sequence[Record]) -> Section:
    """What every training was worth on the period after it: the precision of the gate's alarms."""
    trained = [row for row in history if row["branch"] == RETRAIN]
    judged = [row["challenger_lead"] for row in trained if row["challenger_lead"] is not None]
    n_won = sum(lead > 0 for lead in judged)
    headings = [Heading("week of"), Heading("rule"), Heading("promoted"), Heading("NDCG lead", "number")]
    return {
        "text": (
            f"{n_won} of {len(judged)} trainings gave a challenger that beat the champion on the period "
            f"after: a precision of {n_won / len(judged):.0%}."
            if judged
            else "What a training was worth is known once the period after it is over: no challenger has "
            "stood beside a champion for a whole period yet."
        ),
        "columns": headings,
        "rows": [
            (
                row["as_of"].isoformat(),
                row["rule"].replace("_", " "),
                "yes" if row["promoted"] else "no",
                number(row["challenger_lead"], "+.4f"),
            )
            for row in reversed(trained[-N_HISTORY_ROWS:])
        ],
    }


def importance(rows: Sequence[Record]) -> Section:
    """The strongest features, and the sum of each group."""
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


def example(chosen: Example) -> Section:
    """One customer's list as bars of probability, and why the first product stands first."""
    return {
        "title": f"{chosen.customer.customer_type}, {chosen.customer.n_customers:,} customers",
        "customer_id": chosen.customer.customer_id,
        "bars": [
            Bar(
                f"{item['name']} ({item['product_id']})" if item["name"] else str(item["product_id"]),
                item["probability"],
                f"{item['probability']:.0%}",
                "good" if item["selected"] else "",
            )
            for item in chosen.products
        ],
        "reasons": chosen.products[0]["reasons"],
    }


def costs(records: WeekRecords) -> Section:
    """Wall time and peak memory of every stage."""
    runs = list(records.runs.values())
    slowest = max(run["wall_seconds"] for run in runs) or 1.0
    largest = max(run["peak_memory_mib"] for run in runs) or 1.0
    return {
        "seconds": [
            Bar(run["stage"], run["wall_seconds"] / slowest, f"{run['wall_seconds']:,.1f}") for run in runs
        ],
        "memory": [
            Bar(run["stage"], run["peak_memory_mib"] / largest, f"{run['peak_memory_mib']:,.0f}")
            for run in runs
        ],
        "wall": duration(sum(run["wall_seconds"] for run in runs)),
        "cpu": duration(sum(run["cpu_seconds"] for run in runs)),
        "skipped": ", ".join(records.skipped),
    }
