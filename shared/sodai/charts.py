"""How plots look on every page: small enough for a phone, one palette, no decoration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c2733"
SOFT = "#5b6b7a"
GRID = "#e3e9ee"
ACCENT = "#0b6e6e"
WARN = "#b3541e"
# Told apart in colour blindness and in grey; the first is the subject, the others what it is held against.
PALETTE = (ACCENT, "#e08e2b", "#5566aa", "#9aa7b3", WARN)

# 3.75 inches are 360 CSS pixels: drawn at the width of a phone, so that letters keep their size there.
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
def drawing(width: float = WIDTH_INCHES, height: float = 2.4) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure and its axes in the house look; it stays open for `sodai.pages.inline_svg`, which closes it.

    Args:
        width, height: inches; see WIDTH_INCHES.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with matplotlib.rc_context(_SETTINGS):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        axes.tick_params(length=0)
        yield figure, axes
