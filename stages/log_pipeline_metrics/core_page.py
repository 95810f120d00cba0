"""The run's page: one template, one section a subject."""

from collections.abc import Mapping, Sequence
from datetime import date
from importlib import resources

from log_pipeline_metrics import core_sections as sections
from log_pipeline_metrics.core import Record, WeekRecords
from log_pipeline_metrics.core_charts import calibration_plot
from log_pipeline_metrics.core_examples import Example
from log_pipeline_metrics.core_words import day, days
from sodai.report.pages import environment, page

_TEMPLATE = resources.files(__package__).joinpath("index.html.jinja")


def run_page(
    records: WeekRecords,
    history: Sequence[Record],
    examples: Sequence[Example],
    links: Sequence[Mapping[str, str]],
) -> str:
    """The whole page as HTML.

    Args:
        records: what the stages left of this period.
        history: the rows of HISTORY up to this period, this one last.
        examples: see `choose_examples`.
        links: `file` and `title` of the pages beside this one.
    """
    evaluation, summary = records.evaluation, records.summary
    evaluated = evaluation["evaluated_period"]
    body = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        links=links,
        tiles=sections.tiles(records),
        decision=sections.decision(records),
        promotion=sections.promotion(evaluation),
        published=evaluation["published"],
        champion=records.decision["champion_version"],
        seen=evaluation["seen"][evaluation["published"]["role"]],
        n_customers=evaluation["n_customers"],
        evaluated=days(date.fromisoformat(evaluated["as_of"]), evaluated["horizon_days"]),
        quality=sections.quality(records.quality),
        training=sections.training(records),
        metrics=sections.metrics(evaluation),
        drift=sections.drift(records),
        n_weeks=len(history),
        history_plots=sections.history_plots(history),
        history=sections.history_table(history),
        outcome=sections.outcome(history),
        trainings=sections.trainings(history),
        calibration=calibration_plot("calibration", evaluation["calibration"]),
        calibration_gap=100 * records.figures["calibration_error"],
        importance=sections.importance(records.importance),
        examples=[sections.example(example) for example in examples],
        costs=sections.costs(records),
        summary=summary,
    )
    period = days(records.as_of, summary["horizon_days"])
    subtitle = f"{period} · {summary['n_customers']:,} customers · model version {summary['model_version']}"
    return page(f"Recommendations for the week of {day(records.as_of)}", body, subtitle)
