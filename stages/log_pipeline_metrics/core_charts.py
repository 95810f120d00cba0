"""The plots of the run page; screen readers read their titles."""

from collections.abc import Sequence
from datetime import date

import numpy as np
from markupsafe import Markup

from log_pipeline_metrics.core_week import Record
from sodai.report.charts import ACCENT, INK, PALETTE, SOFT, WARN, drawing
from sodai.report.svg import inline_svg

# A label, and a value for each period; None if unknown.
Line = tuple[str, Sequence[float | None]]


def weekly_lines(title: str, index: Sequence[date], lines: Sequence[Line], from_zero: bool = True) -> Markup:
    """Draw lines over the periods, one marker each, with gaps for unknown values.

    Args:
        title: of the plot.
        index: first days of the periods in order.
        lines: label and values in the order of `index`; the first is the subject.
        from_zero: whether the axis starts at 0.
    """
    days = np.array(index, dtype="datetime64[D]")
    with drawing() as (figure, axes):
        for (label, values), colour in zip(lines, PALETTE, strict=False):
            heights = [float("nan") if value is None else value for value in values]
            axes.plot(days, heights, marker="o", markersize=4, color=colour, label=label)
        if from_zero:
            axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
        if len(index) == 1:
            axes.set_xticks(days, [index[0].isoformat()])
        if len(lines) > 1:
            axes.legend(loc="best")
        return inline_svg(figure, title)


def weekly_bars(title: str, index: Sequence[date], values: Sequence[float]) -> Markup:
    """Draw one bar per week, `index` being the first days of the weeks."""
    with drawing() as (figure, axes):
        axes.bar(np.array(index, dtype="datetime64[D]"), values, width=5.5, color=ACCENT)
        axes.grid(axis="x", visible=False)
        return inline_svg(figure, title)


def trial_dots(title: str, numbers: Sequence[int], values: Sequence[float], best: int) -> Markup:
    """Draw one dot per completed trial, the one with the number `best` in another colour."""
    colours = [WARN if number == best else ACCENT for number in numbers]
    with drawing() as (figure, axes):
        axes.scatter(numbers, values, s=16, color=colours)
        axes.set_xlabel("trial")
        return inline_svg(figure, title)


def calibration_plot(title: str, bins: Sequence[Record]) -> Markup:
    """Draw mean probability against realised share, and the line where both are equal.

    Args:
        title: of the plot.
        bins: mean_probability, realised_share of each.
    """
    with drawing(height=2.8) as (figure, axes):
        predicted = [row["mean_probability"] for row in bins]
        realised = [row["realised_share"] for row in bins]
        end = 1.08 * max(*predicted, *realised, 1e-6)
        axes.plot([0, end], [0, end], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(predicted, realised, marker="o", markersize=4, color=ACCENT)
        axes.set_xlim(0, end)
        axes.set_ylim(0, end)
        axes.set_xlabel("predicted probability", color=INK)
        axes.set_ylabel("share that bought", color=INK)
        return inline_svg(figure, title)
