"""The page of a run."""

from collections.abc import Sequence
from datetime import date

from log_pipeline_metrics import core_history_sections as history_sections
from log_pipeline_metrics import core_sections as sections
from log_pipeline_metrics.core_charts import calibration_plot
from log_pipeline_metrics.core_examples import Example
from log_pipeline_metrics.core_labels import day, days
from log_pipeline_metrics.core_week import Record, WeekResults
from sodai.report.pages import load_template, page


def run_page(
    week: WeekResults, history: Sequence[Record], examples: Sequence[Example], links: Sequence[Record]
) -> str:
    """Return the page as HTML.

    Args:
        week: results of the stages for this period.
        history: the rows of HISTORY up to this period, which is the last.
        examples: lists of typical customers.
        links: `file` and `title` of the other pages of the run.
    """
    evaluation, summary = week.evaluation, week.summary
    evaluated = evaluation["evaluated_period"]
    body = load_template(__package__, "index.html.jinja").render(
        links=links,
        tiles=sections.tiles(week),
        decision=sections.decision(week),
        promotion=sections.promotion(evaluation),
        published=evaluation["published"],
        champion=week.decision["champion_version"],
        seen=evaluation["seen"][evaluation["published"]["role"]],
        n_customers=evaluation["n_customers"],
        evaluated=days(date.fromisoformat(evaluated["as_of"]), evaluated["horizon_days"]),
        quality=sections.quality(week.quality),
        training=sections.training(week),
        metrics=sections.metrics(evaluation),
        drift=sections.drift(week),
        n_weeks=len(history),
        history_plots=history_sections.plots(history),
        history=history_sections.table(history),
        outcome=history_sections.outcome(history),
        trainings=history_sections.trainings(history),
        calibration=calibration_plot("calibration", evaluation["calibration"]),
        calibration_gap=100 * week.metrics["calibration_error"],
        importance=sections.importance(week.importance),
        examples=[sections.example(example) for example in examples],
        costs=sections.costs(week),
        summary=summary,
    )
    period = days(week.as_of, summary["horizon_days"])
    subtitle = f"{period} · {summary['n_customers']:,} customers · model version {summary['model_version']}"
    return page(f"Recommendations for the week of {day(week.as_of)}", body, subtitle)
