"""The frame and the macros of every HTML page: self-contained, readable on a phone, plots as inline SVG."""

from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup


@dataclass(frozen=True)
class Bar:
    """One row of `ui.bars`: a label, a bar over `share` (0 to 1) of the width, and the amount as text.

    `tone` is good (the subject), bad or empty; `mark` (0 to 1) draws a threshold.
    """

    label: str
    share: float
    amount: str
    tone: str = ""
    mark: float | None = None


@dataclass(frozen=True)
class Heading:
    """One column of `ui.table`; `kind` is number, wide or empty."""

    title: str
    kind: str = ""


_environment = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def load_template(package: str, name: str) -> jinja2.Template:
    """Return a template file from the folder of a package.

    A stage keeps its page in its own folder and renders it with
    `load_template(__package__, "quality.html.jinja").render(...)`; `page` then puts the frame around it.
    Every template may use the macros of macros.html.jinja, `{{ ui.tile("set F1", ".58") }}` for example.
    """
    return _environment.from_string(_read(package, name))


def page(title: str, body: str, subtitle: str = "") -> str:
    """Return a whole page around `body`, trusted HTML rendered by a template of `load_template`."""
    style = Markup(_read(__package__, "style.css"))
    return load_template(__package__, "page.html.jinja").render(
        title=title, subtitle=subtitle, body=Markup(body), style=style
    )


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


_environment.globals["ui"] = load_template(__package__, "macros.html.jinja").module
