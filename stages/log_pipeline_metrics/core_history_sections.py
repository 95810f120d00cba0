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
    """Return titles and plots over the weeks: values expected before each week, and realised values."""
    weeks = [row["as_of"] for row in history]

    def lines(title: str, from_zero: bool = True, **columns: str) -> Section:
        named = [
            (label.replace("_", " "), [row[column] for row in history]) for label, column in columns.items()
        ]
        return {"title": title, "svg": weekly_lines(f"{title}, by week", weeks, named, from_zero)}

    return [
        lines("F1 of the predicted set", realised="realised_set_f1", on_the_period_before="set_f1"),
        lines("Demand: pairs bought", realised="realised_pairs", expected="expected_pairs"),
        lines(
            "Recall at 10",
            from_zero=False,
            realised="realised_recall_at_10",
            on_the_period_before="recall_at_10",
        ),
        lines("Drifted share of columns", drift="drift_share"),
        lines("Time of the run, seconds", seconds="wall_seconds"),
        lines("Peak memory, MiB", memory="peak_memory_mib"),
    ]


def table(history: Sequence[Record]) -> Section:
    """Return the newest weeks, newest first."""
    names = ("AUC", "R@10", "set F1", "expected", "realised", "realised R@10", "realised set F1")
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
        return "No published period has ended yet: realised figures appear once a period is over."
    newest = closed[-1]
    return (
        f"The week of {newest['as_of']} had an expected demand of {newest['expected_pairs']:,.0f} pairs and "
        f"a realised demand of {newest['realised_pairs']:,.0f}; its predicted set reached an F1 of "
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
            f"{n_won} of {len(leads)} trainings produced a challenger that beat the champion on the period "
            f"after: a precision of {n_won / len(leads):.0%}."
            if leads
            else "No challenger has been compared with a champion over a whole period yet: the lead of a "
            "training is known once the period after it is over."
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
