"""A figure as an SVG element of a page."""

import io
import re

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure


def inline_svg(figure: Figure, label: str) -> Markup:
    """Return a figure as an SVG element for a page, the same bytes for the same figure.

    Args:
        figure: of `drawing`.
        label: a description of the plot for screen readers, unique on the page.
    """
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": label, "svg.fonttype": "none"}):
        # Without a tight bounding box, which would draw the figure twice more: the layout fits already.
        figure.savefig(buffer, format="svg", dpi=130, metadata={"Date": None})
    element = buffer.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # Matplotlib names fonts that a reader may not have; the page has its own.
    element = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", element)
    # The ids of two plots on one page must differ.
    prefix = re.sub(r"\W+", "-", label.lower())
    element = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", element)
    return Markup(element.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))
