"""The look of every plot: small enough for a phone, one palette, no decoration."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
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
def drawing(width: float = WIDTH_INCHES, height: float = 2.4) -> Iterator[tuple["Figure", "Axes"]]:
    """Yield a figure and its axes in the look of the pages, for `inline_svg`, which closes the figure.

    Args:
        width: inches, see WIDTH_INCHES.
        height: inches.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with matplotlib.rc_context(_SETTINGS):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        axes.tick_params(length=0)
        yield figure, axes


def inline_svg(figure: "Figure", label: str) -> Markup:
    """Return a figure as an SVG element for a page, the same bytes for the same figure, and close it.

    Args:
        figure: of `drawing`.
        label: a description of the plot for screen readers, unique on the page.
    """
    import matplotlib
    from matplotlib import pyplot as plt

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label, "svg.fonttype": "none"}):
        # Without a tight bounding box, which would draw the figure twice more: the layout fits already.
        figure.savefig(buffer, format="svg", dpi=130, metadata={"Date": None})
    plt.close(figure)
    element = buffer.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # Matplotlib names fonts that a reader may not have; the page has its own.
    element = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", element)
    # The ids of two plots on one page must differ.
    prefix = re.sub(r"\W+", "-", label.lower())
    element = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", element)
    return Markup(element.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))
