"""Pages are self-contained: nothing in them loads another file."""

import re
import sys
from pathlib import Path

import jinja2
import pytest

from sodai.report.charts import drawing
from sodai.report.pages import Bar, Heading, load_template, page
from sodai.report.svg import inline_svg


def plot_of_a_line() -> str:
    with drawing() as (figure, axes):
        axes.plot([0, 1], [0, 1])
        return inline_svg(figure, "a <line> & more")


def test_the_same_plot_gives_the_same_bytes() -> None:
    assert plot_of_a_line() == plot_of_a_line()


def test_a_plot_has_its_label_escaped_and_names_no_font_of_this_machine() -> None:
    element = plot_of_a_line()
    assert 'aria-label="a &lt;line&gt; &amp; more"' in element
    assert "DejaVu" not in element


def test_ids_of_a_plot_and_references_to_them_have_the_same_prefix() -> None:
    element = plot_of_a_line()
    ids = set(re.findall(r'id="([^"]+)"', element))
    targets = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", element))
    assert targets <= ids
    assert all(name.startswith("a-line-more-") for name in ids)


def test_a_page_refers_to_nothing_outside_itself() -> None:
    whole = page("Title & more", plot_of_a_line(), "sub")
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', whole)
    assert outside == []
    assert "<h1>Title &amp; more</h1>" in whole


def write_page(folder: Path, template: str) -> None:
    """Write the package `small_stage_page` with a template."""
    package = folder / "small_stage_page"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "page.html.jinja").write_text(template)


def test_macros_escape_their_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_page(tmp_path, "{{ ui.bars(bars) }}{{ ui.table(columns, rows) }}")
    monkeypatch.syspath_prepend(tmp_path)
    html = load_template("small_stage_page", "page.html.jinja").render(
        bars=[Bar("<b>", 0.5, "5", mark=0.25)], columns=[Heading("n", "number")], rows=[("<i>",)]
    )
    assert "&lt;b&gt;" in html
    assert "&lt;i&gt;" in html
    assert "width:50.0%" in html
    assert "left:25.0%" in html
    sys.modules.pop("small_stage_page")


def test_a_page_carries_its_style() -> None:
    style = re.findall(r"<style>(.*?)</style>", page("Title", ""), re.DOTALL)
    assert len(style) == 1
    assert "\nbody{margin:0;" in style[0]
    assert "{{" not in style[0]


def test_a_stage_renders_a_template_of_its_own_folder_with_the_macros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_page(tmp_path, "{{ ui.badge(name) }} {{ name }}\n")
    monkeypatch.syspath_prepend(tmp_path)
    template = load_template("small_stage_page", "page.html.jinja")
    assert template.render(name="<b>") == '<span class="badge ">&lt;b&gt;</span> &lt;b&gt;'
    with pytest.raises(jinja2.UndefinedError, match="'name' is undefined"):
        template.render()
    sys.modules.pop("small_stage_page")
