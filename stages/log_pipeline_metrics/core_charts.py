"""The plots of the run page."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from markupsafe import Markup

from sodai.report.charts import ACCENT, INK, PALETTE, SOFT, WARN, drawing
from sodai.report.svg import inline_svg

Record = Mapping[str, Any]
# A label and a value for each period, None where it is not known.
Line = tuple[str, Sequence[float | None]]


def weekly_lines(title: str, index: Sequence[date], lines: Sequence[Line], from_zero: bool = True) -> Markup:
    """Lines over the periods, one marker each, gaps where a value is not known.

    Args:
        title: for readers who cannot see the plot.
        index: first days of the periods in order.
        lines: label and values in the order of `index`; the first is the subject.
    """
    days = np.array(index, dtype="datetime64[D]")
    with drawing() as (figure, axes):
        for (label, values), colour in zip(lines, PALETTE, strict=False):
            known = [float("nan") if value is None else value for value in values]
            axes.plot(days, known, marker="o", markersize=4, color=colour, label=label)
        if from_zero:
            axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
        if len(index) == 1:
            axes.set_xticks(days, [index[0].isoformat()])
        if len(lines) > 1:
            axes.legend(loc="best")
        return inline_svg(figure, title)


def weekly_bars(title: str, index: Sequence[date], values: Sequence[float]) -> Markup:
    """One bar a week.

    Args:
        title: for readers who cannot see the plot.
        index: first days of the weeks.
        values: in their order.
    """
    with drawing() as (figure, axes):
        axes.bar(np.array(index, dtype="datetime64[D]"), values, width=5.5, color=ACCENT)
        axes.grid(axis="x", visible=False)
        return inline_svg(figure, title)


def trial_dots(title: str, numbers: Sequence[int], values: Sequence[float], best: int) -> Markup:
    """One dot a completed trial, the best one in colour.

    Args:
        title: for readers who cannot see the plot.
        numbers, values: of the completed trials.
        best: number of the best one.
    """
    colours = [WARN if number == best else ACCENT for number in numbers]
    with drawing() as (figure, axes):
        axes.scatter(numbers, values, s=16, color=colours)
        axes.set_xlabel("trial")
        return inline_svg(figure, title)


def calibration_plot(title: str, bins: Sequence[Record]) -> Markup:
    """Mean probability against realised share, beside the line where both are equal.

    Args:
        bins: mean_probability, realised_share, n_rows.
    """
    with drawing(height=2.8) as (figure, axes):
        predicted = [row["mean_probability"] for row in bins]
        realised = [row["realised_share"] for row in bins]
        top = 1.08 * max(*predicted, *realised, 1e-6)
        axes.plot([0, top], [0, top], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(predicted, realised, marker="o", markersize=4, color=ACCENT)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_xlabel("predicted probability", color=INK)
        axes.set_ylabel("share that bought", color=INK)
        return inline_svg(figure, title)
