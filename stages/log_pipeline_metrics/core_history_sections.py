"""The sections of the run's page about the weeks so far, in the form that the template takes."""

from collections.abc import Sequence

from log_pipeline_metrics.core_charts import weekly_lines
from log_pipeline_metrics.core_labels import BRANCHES, number
from log_pipeline_metrics.core_sections import Section
from log_pipeline_metrics.core_week import Record
from sodai.data.catalog import RETRAIN
from sodai.report.pages import Heading

N_ROWS = 12


def plots(history: Sequence[Record]) -> list[Section]:
    """Return titles and plots over the weeks: metrics measured before, and those that came true."""
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


def table(history: Sequence[Record]) -> Section:
    """Return the newest weeks, newest first."""
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
        for row in reversed(history[-N_ROWS:])
    ]
    return {"columns": headings, "rows": rows}


def outcome(history: Sequence[Record]) -> str:
    """Return the outcome of the newest closed period in a sentence."""
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
    """Return the lead of every training on the period after it, and the share that paid off."""
    trained = [row for row in history if row["branch"] == RETRAIN]
    leads = [row["challenger_lead"] for row in trained if row["challenger_lead"] is not None]
    n_won = sum(lead > 0 for lead in leads)
    headings = [Heading("week of"), Heading("rule"), Heading("promoted"), Heading("NDCG lead", "number")]
    return {
        "text": (
            f"{n_won} of {len(leads)} trainings gave a challenger that beat the champion on the period "
            f"after: a precision of {n_won / len(leads):.0%}."
            if leads
            else "What a training was worth is known once the period after it is over: no challenger has "
            "been compared with a champion over a whole period yet."
        ),
        "columns": headings,
        "rows": [
            (
                row["as_of"].isoformat(),
                row["rule"].replace("_", " "),
                "yes" if row["promoted"] else "no",
                number(row["challenger_lead"], "+.4f"),
            )
            for row in reversed(trained[-N_ROWS:])
        ],
    }
