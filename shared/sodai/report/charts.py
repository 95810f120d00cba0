"""The look of every plot: small enough for a phone, one palette, no decoration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1c2733"
SOFT = "#5b6b7a"
GRID = "#e3e9ee"
ACCENT = "#0b6e6e"
WARN = "#b3541e"
# Distinct in colour blindness and in grey; the first is for the subject, the others for comparisons.
PALETTE = (ACCENT, "#e08e2b", "#5566aa", "#9aa7b3", WARN)

# 3.75 inches are 360 CSS pixels, the width of a phone, so that letters keep their size there.
WIDTH_INCHES = 3.75

_SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 8.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "date.converter": "concise",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "grid.color": GRID,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "xtick.labelsize": 8,
    "ytick.color": SOFT,
    "ytick.labelsize": 8,
}


@contextmanager
def drawing(width: float = WIDTH_INCHES, height: float = 2.4) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure and its axes in the look of the pages.

    Args:
        width: inches, see WIDTH_INCHES.
        height: inches.
    """
    with rc_context(_SETTINGS):
        # Without pyplot, which keeps every figure until it is closed.
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.tick_params(length=0)
        yield figure, axes
