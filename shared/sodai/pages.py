"""The frame of every HTML page: self-contained, readable on a phone, plots as inline SVG."""

import io
import re
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root{--ink:#1c2733;--soft:#5b6b7a;--line:#dfe5ea;--paper:#fff;--wash:#f4f7f9;--accent:#0b6e6e;--warn:#b3541e}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,footer{max-width:1080px;margin:auto;padding:1rem}
h1{font-size:1.6rem;margin:.4rem 0}
h2{font-size:1.2rem;margin:0 0 .6rem}
nav a{margin-right:1rem}
a{color:var(--accent)}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:0 0 1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.8rem}
.tile{border:1px solid var(--line);border-radius:6px;padding:.6rem}
.tile b{display:block;font-size:1.3rem}
.soft{color:var(--soft)}
.warn{color:var(--warn)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
svg,img{max-width:100%;height:auto}
"""

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header><h1>{{ title }}</h1>{% if subtitle %}<p class="soft">{{ subtitle }}</p>{% endif %}</header>
<main>
{{ body }}
</main>
</body>
</html>
"""

environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)


def page(title: str, body: str, subtitle: str = "") -> str:
    """A whole page around `body`, which is trusted HTML made by a template of `environment`."""
    return environment.from_string(_FRAME).render(
        title=title, subtitle=subtitle, body=Markup(body), style=Markup(_STYLE)
    )


def inline_svg(figure: "Figure", label: str) -> str:
    """A Matplotlib figure as an SVG element for a page, the same bytes for the same figure.

    Args:
        figure: drawn but not shown; it is closed.
        label: what the plot shows, for readers who cannot see it.
    """
    import matplotlib
    from matplotlib import pyplot as plt

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    element = buffer.getvalue()
    element = element[element.index("<svg") :]
    # Two plots of one page must not share ids.
    prefix = re.sub(r"\W+", "-", label.lower())
    element = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", element)
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
