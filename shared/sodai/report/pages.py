"""The frame and the parts of every HTML page: self-contained, readable on a phone, plots as inline SVG."""

from dataclasses import dataclass

import jinja2
from markupsafe import Markup

_STYLE = """
:root{color-scheme:light;--ink:#1c2733;--soft:#5b6b7a;--line:#e3e9ee;--paper:#fff;--wash:#f4f7f9;
--accent:#0b6e6e;--tint:#e3f1f0;--warn:#b3541e;--warn-tint:#fbeee5;--other:#9aa7b3}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--wash);color:var(--ink);font:16px/1.55 system-ui,-apple-system,sans-serif}
header,main,footer{max-width:1080px;margin:auto;padding:0 1rem}
header{padding-top:1.6rem;padding-bottom:.4rem}
main{padding-bottom:2rem}
h1{font-size:clamp(1.45rem,4.5vw,2rem);line-height:1.2;letter-spacing:-.015em;margin:0 0 .3rem}
h2{font-size:1.2rem;letter-spacing:-.01em;margin:0 0 .5rem}
h3{font-size:.95rem;margin:1.1rem 0 .35rem}
p{margin:0 0 .7rem;max-width:70ch;overflow-wrap:anywhere}
a{color:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:.4rem;margin:.8rem 0 1rem}
nav a{border:1px solid var(--line);border-radius:99px;background:var(--paper);padding:.25rem .8rem;
text-decoration:none;font-size:.9rem}
nav a:hover{border-color:var(--accent)}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.2rem;
margin:0 0 1rem;min-width:0}
.soft{color:var(--soft)}
.warn{color:var(--warn)}
.small{font-size:.88rem}
.absent{color:var(--soft);border-left:3px solid var(--line);padding-left:.8rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(135px,1fr));gap:.7rem;margin:0 0 1rem}
.tile{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem;
font-size:.88rem;line-height:1.35}
.tile b{display:block;font-size:1.45rem;letter-spacing:-.02em;font-variant-numeric:tabular-nums;
line-height:1.25;overflow-wrap:anywhere}
.tile.good b{color:var(--accent)}
.tile.bad b{color:var(--warn)}
.badge{display:inline-block;border-radius:99px;padding:0 .6rem;font-size:.8rem;line-height:1.5rem;
background:var(--wash);color:var(--soft);white-space:nowrap}
.badge.good{background:var(--tint);color:var(--accent)}
.badge.bad{background:var(--warn-tint);color:var(--warn)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:1rem 1.6rem}
.grid>*{min-width:0}
figure{margin:0 0 .4rem}
figcaption{font-size:.92rem;font-weight:600;margin:0 0 .3rem}
svg,img{display:block;max-width:100%;height:auto}
.bars{margin:0 0 .8rem;font-size:.88rem}
.bar{display:grid;gap:.6rem;align-items:center;padding:.13rem 0}
.bar{grid-template-columns:minmax(0,42%) 1fr minmax(3.4em,auto)}
.bar>span{overflow-wrap:anywhere;line-height:1.25}
.bar .amount{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.track{position:relative;display:block;background:var(--wash);border-radius:4px;height:.8rem}
.fill{display:block;height:100%;border-radius:4px;background:var(--other);min-width:2px}
.good .fill{background:var(--accent)}
.bad .fill{background:var(--warn)}
.good .amount{font-weight:600}
.stacked .bar{grid-template-columns:1fr minmax(3.4em,auto);gap:0 .6rem;padding:.25rem 0}
.stacked .bar>span:first-child{grid-column:1/3}
.mark{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}
.scroll{overflow-x:auto;margin:0 0 .7rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:.82rem;vertical-align:bottom}
tr:last-child td{border-bottom:0}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.wide{min-width:15rem}
code{font:.88em ui-monospace,monospace;overflow-wrap:anywhere}
ul{margin:0 0 .8rem;padding-left:1.3em}
li.raises{list-style:"▲ "}
li.lowers{list-style:"▼ "}
li::marker{color:var(--soft);font-size:.8em}
footer{color:var(--soft);font-size:.85rem;padding-bottom:2rem}
@media(max-width:560px){section{padding:.9rem}.tiles{grid-template-columns:1fr 1fr}}
@media print{body{background:#fff}section{break-inside:avoid}nav{display:none}}
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

_PARTS = """
{% macro tile(label, value, note="", tone="") %}
<div class="tile {{ tone }}">{{ label }}<b>{{ value }}</b><span class="soft">{{ note }}</span></div>
{% endmacro %}
{% macro badge(text, tone="") %}<span class="badge {{ tone }}">{{ text }}</span>{% endmacro %}
{% macro absent(text) %}<p class="absent">{{ text }}</p>{% endmacro %}
{% macro plot(title, svg) %}<figure><figcaption>{{ title }}</figcaption>{{ svg }}</figure>{% endmacro %}
{% macro bars(rows, kind="") %}
<div class="bars {{ kind }}">{% for row in rows %}
<div class="bar {{ row.tone }}"><span>{{ row.label }}</span>
<span class="track"><span class="fill" style="width:{{ "%.1f"|format(100 * row.part) }}%"></span>
{% if row.mark is not none %}
<span class="mark" style="left:{{ "%.1f"|format(100 * row.mark) }}%"></span>{% endif %}
</span><span class="amount">{{ row.amount }}</span></div>{% endfor %}
</div>
{% endmacro %}
{% macro table(columns, rows) %}
<div class="scroll"><table><tr>{% for column in columns %}
<th class="{{ column.kind }}">{{ column.title }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}
<td class="{{ columns[loop.index0].kind }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endmacro %}
"""


@dataclass(frozen=True)
class Bar:
    """One row of `ui.bars`: a label, a bar over `part` (0 to 1) of the width, and the amount as text.

    `tone` is good (the subject), bad or empty; `mark` (0 to 1) draws a threshold.
    """

    label: str
    part: float
    amount: str
    tone: str = ""
    mark: float | None = None


@dataclass(frozen=True)
class Heading:
    """One column of `ui.table`; `kind` is number, wide or empty."""

    title: str
    kind: str = ""


environment = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
# The parts above, in every template of the environment: {{ ui.tile("set F1", ".58") }}.
environment.globals["ui"] = environment.from_string(_PARTS).module


def page(title: str, body: str, subtitle: str = "") -> str:
    """A whole page around `body`, which is trusted HTML made by a template of `environment`."""
    return environment.from_string(_FRAME).render(
        title=title, subtitle=subtitle, body=Markup(body), style=Markup(_STYLE)
    )
