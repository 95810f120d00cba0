"""The plots of the SHAP page."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sodai.report.charts import PALETTE, SOFT, WIDTH_INCHES, drawing

GROUP_COLOURS = dict(zip(("pair", "product", "customer", "time"), PALETTE, strict=False))


def bar_plot(table: pd.DataFrame, n_features: int = 20) -> Figure:
    """Draw the most important features as bars, coloured by group.

    Args:
        table: the columns of IMPORTANCE, the most important first.
    """
    shown = table.head(n_features).iloc[::-1]
    with drawing(WIDTH_INCHES * 1.1, 0.7 + 0.19 * len(shown)) as (figure, axes):
        colours = [GROUP_COLOURS[group] for group in shown["group"]]
        axes.barh(shown["feature"], shown["mean_abs_contribution"], color=colours, height=0.7)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("mean |contribution|, log-odds")
        present = [group for group in GROUP_COLOURS if group in set(shown["group"])]
        axes.legend([Patch(color=GROUP_COLOURS[group]) for group in present], present, loc="lower right")
        return figure


def beeswarm_plot(explanation: shap.Explanation, n_features: int = 20, seed: int = 0) -> Figure:
    """Draw a dot per sampled candidate and feature: its position is the contribution, its colour the value.

    Args:
        explanation: (n, n_features) contributions in log-odds with numeric data.
        seed: of the vertical jitter.
    """
    # SHAP takes its jitter from NumPy's global state.
    np.random.seed(seed)
    with drawing(WIDTH_INCHES * 1.1, 0.9 + 0.24 * n_features) as (figure, axes):
        shap.plots.beeswarm(
            explanation,
            max_display=n_features,
            group_remaining_features=False,
            ax=axes,
            plot_size=None,
            s=7,
            show=False,
        )
        axes.set_xlabel("contribution, log-odds")
        return _finish(figure)


def dependence_plot(
    explanation: shap.Explanation, feature: str, categories: Sequence[str] = (), seed: int = 0
) -> Figure:
    """Draw the contribution of a feature against its value, one dot per sampled candidate.

    Args:
        explanation: see `beeswarm_plot`.
        feature: to draw.
        categories: the texts that the codes 0, 1, ... represent; empty for a number.
        seed: of the horizontal jitter.
    """
    np.random.seed(seed)
    with drawing() as (figure, axes):
        shap.plots.scatter(
            explanation[:, feature], ax=axes, show=False, color=PALETTE[0], dot_size=5, alpha=0.25
        )
        axes.set_xlabel("")
        axes.set_ylabel("contribution, log-odds")
        if categories:
            axes.set_xticks(range(len(categories)), [_shorten(name) for name in categories], rotation=30)
        return _finish(figure)


def _finish(figure: Figure) -> Figure:
    for axes in figure.axes:
        # SHAP sets its own sizes.
        axes.tick_params(labelsize=8)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set(fontsize=8.5, color=SOFT)
        # Ten thousand dots are megabytes as SVG elements, kilobytes as a picture inside the SVG.
        for dots in axes.collections:
            dots.set_rasterized(True)
    return figure


def _shorten(name: str, n_letters: int = 12) -> str:
    return name if len(name) <= n_letters else name[: n_letters - 1] + "…"
