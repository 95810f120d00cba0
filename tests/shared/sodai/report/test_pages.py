"""Pages stand alone: nothing in them asks for another file."""

import re

from sodai.report.charts import drawing, inline_svg
from sodai.report.pages import Bar, Heading, environment, page


def figure_with_a_line() -> str:
    with drawing() as (figure, axes):
        axes.plot([0, 1], [0, 1])
        return inline_svg(figure, "a <line> & more")


def test_the_same_plot_gives_the_same_bytes() -> None:
    assert figure_with_a_line() == figure_with_a_line()


def test_a_plot_carries_its_label_escaped_and_names_no_font_of_this_machine() -> None:
    element = figure_with_a_line()
    assert 'aria-label="a &lt;line&gt; &amp; more"' in element
    assert "DejaVu" not in element


def test_ids_of_a_plot_and_what_points_at_them_carry_the_same_prefix() -> None:
    element = figure_with_a_line()
    ids = set(re.findall(r'id="([^"]+)"', element))
    targets = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", element))
    assert targets <= ids
    assert all(name.startswith("a-line-more-") for name in ids)


def test_a_page_points_at_nothing_outside_itself() -> None:
    whole = page("Title & more", figure_with_a_line(), "sub")
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', whole)
    assert outside == []
    assert "<h1>Title &amp; more</h1>" in whole


def test_parts_escape_what_they_are_given() -> None:
    template = environment.from_string("{{ ui.bars(bars) }}{{ ui.table(columns, rows) }}")
    shown = template.render(
        bars=[Bar("<b>", 0.5, "5", mark=0.25)], columns=[Heading("n", "number")], rows=[("<i>",)]
    )
    assert "&lt;b&gt;" in shown
    assert "&lt;i&gt;" in shown
    assert "width:50.0%" in shown
    assert "left:25.0%" in shown
