"""The quality report as a page: what came in, what became of it, volumes by week, what was put right."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from sodai.report.charts import ACCENT, PALETTE, WARN, drawing, inline_svg
from sodai.report.pages import Bar, Heading, environment, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The newest files and the first quarantined rows; the rest stands in quality.json and the warehouse.
_N_FILES = 15

_BODY = environment.from_string("""
<nav><a href="index.html">The run</a><a href="drift.html">Drift</a><a href="shap.html">Reasons</a></nav>
<section>
<h2>What came in, and what became of it</h2>
<div class="tiles">{% for label, value, note, tone in tiles %}
{{ ui.tile(label, value, note, tone) }}{% endfor %}
</div>
<p>Every row is accounted for: {{ n.rows }} rows in = {{ n.kept }} kept as purchases + {{ n.netted }} netted
+ {{ n.duplicates }} duplicates + {{ n.quarantined }} quarantined. Checked for each file.</p>
{{ ui.bars(fates) }}
{% if notes %}<h3>To know</h3><ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}
</section>
<section>
<h2>Volumes by week</h2>
<p>Weeks before {{ as_of }}, named by their Monday. The {{ later }} lines dated {{ as_of }} or later stay in
the warehouse and are not used.</p>
<div class="grid">
{{ ui.plot("Customer-product pairs that bought", pairs) }}
{{ ui.plot("Customers that bought", customers) }}
{{ ui.plot("Share of the sales that was taken back", cancelled) }}
</div>
</section>
<section>
<h2>What was put right</h2>
{{ ui.table(right_columns, right) }}
</section>
<section>
<h2>Quarantine</h2>
{% if reasons %}
<p>Rows that cannot be used, or not yet: those with an unknown customer or product are loaded as soon as the
business sends it.</p>
{{ ui.table(reason_columns, reasons) }}
<h3>The first of them</h3>
{{ ui.table(example_columns, examples) }}
{% else %}{{ ui.absent("No row is in quarantine.") }}{% endif %}
</section>
<section>
<h2>Files</h2>
{% if n_hidden %}<p>The newest {{ files|length }} of {{ files|length + n_hidden }}.</p>{% endif %}
{{ ui.table(file_columns, files) }}
</section>
""")

_RIGHT_COLUMNS = (Heading("What"), Heading("Rows", "number"), Heading("How", "wide"))
_REASON_COLUMNS = (Heading("Reason"), Heading("Rows", "number"))
_EXAMPLE_COLUMNS = (Heading("File"), Heading("Row", "number"), Heading("Reason"), Heading("Found", "wide"))
_FILE_COLUMNS = (
    Heading("File"),
    Heading("Rows", "number"),
    Heading("Kept", "number"),
    Heading("Netted", "number"),
    Heading("Duplicates", "number"),
    Heading("Quarantined", "number"),
    Heading("Loaded for"),
    Heading("Columns not read"),
)


def quality_page(quality: Mapping[str, Any]) -> str:
    """The page of one quality record (`core_quality.quality_record`)."""
    totals = quality["totals"]
    files = sorted(quality["files"], key=lambda file: (file["loaded_for"], file["name"]), reverse=True)
    body = _BODY.render(
        as_of=quality["as_of"],
        tiles=_tiles(quality),
        n={name: _n(totals[name]) for name in ("rows", "kept", "netted", "duplicates", "quarantined")},
        fates=_fates(totals),
        notes=quality["notes"],
        later=_n(quality["as_of_or_later"]["lines"]),
        **_plots(quality["weeks"]),
        right_columns=_RIGHT_COLUMNS,
        right=_put_right(quality),
        reason_columns=_REASON_COLUMNS,
        reasons=[(reason, _n(rows)) for reason, rows in quality["reasons"].items()],
        example_columns=_EXAMPLE_COLUMNS,
        examples=[_example(row) for row in quality["quarantine_examples"]],
        file_columns=_FILE_COLUMNS,
        files=[_file(file) for file in files[:_N_FILES]],
        n_hidden=max(0, len(files) - _N_FILES),
    )
    return page(
        "Quality of the input", body, f"Everything before {quality['as_of']}, the first day to predict"
    )


def _tiles(quality: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    totals, before, tables = quality["totals"], quality["before_as_of"], quality["tables"]
    share = totals["fit_share"]
    decoded = f"{share:.3%} fit the formula" if totals["n_decoded"] else "quantities are as they stand"
    return [
        ("Rows in", _n(totals["rows"]), f"{len(quality['files'])} files", ""),
        ("Purchases to learn from", _n(before["purchases"]), f"{len(quality['weeks'])} weeks", "good"),
        ("Quarantined", _n(totals["quarantined"]), "rows", "bad" if totals["quarantined"] else ""),
        ("Quantities decoded", _n(totals["n_decoded"]), decoded, ""),
        ("Customers", _n(tables["customers"]["rows"]), tables["customers"]["file"], ""),
        ("Products", _n(tables["products"]["rows"]), tables["products"]["file"], ""),
    ]


def _fates(totals: Mapping[str, Any]) -> list[Bar]:
    rows = totals["rows"] or 1
    tones = {"kept": "good", "netted": "", "duplicates": "", "quarantined": "bad"}
    return [
        Bar(name, totals[name] / rows, f"{totals[name] / rows:.2%}", tone if totals[name] else "")
        for name, tone in tones.items()
    ]


def _put_right(quality: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    totals, before = quality["totals"], quality["before_as_of"]
    customers, products = quality["tables"]["customers"], quality["tables"]["products"]
    swapped = ", ".join(str(key) for key in customers["swapped_coordinates"][:10])
    undone = customers["rows_without_key"] + products["rows_without_key"]
    repeated = customers["duplicate_rows"] + products["duplicate_rows"]
    steps = [
        ("Exact duplicates", totals["duplicates"], "counted once, also where two files hold the same line"),
        ("Sales cancelled", before["cancelled"], "sold and taken back whole in the same order: no purchase"),
        ("Sales reduced", before["reduced"], "taken back in part: the rest is the purchase"),
        ("Returns without a sale", before["returned"], "nothing in the order to take them from: no purchase"),
        ("Disguised quantities", totals["n_decoded"], "items = (2q + 1) / 3 read as q units"),
        ("Swapped coordinates", len(customers["swapped_coordinates"]), f"exchanged for customers {swapped}"),
        ("Impossible coordinates", len(customers["impossible_coordinates"]), "emptied: they are on no map"),
        ("Customers or products without a key", undone, "left out"),
        ("Customers or products sent twice", repeated, "counted once"),
    ]
    return [(what, _n(rows), how if rows else "none found") for what, rows, how in steps]


def _example(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    columns = ("customer_id", "product_id", "order_id", "purchase_date", "items")
    found = row["found"] or ", ".join(f"{name}={row[name]}" for name in columns)
    return row["file"], _n(row["row"]), row["reason"], found


def _file(file: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (_n(file[name]) for name in ("rows", "kept", "netted", "duplicates", "quarantined"))
    return (file["name"], *counts, file["loaded_for"], ", ".join(file["extra_columns"]))


def _plots(weeks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    mondays = [date.fromisoformat(week["week"]) for week in weeks]
    n_sold = [week["purchases"] + week["cancelled"] for week in weeks]
    returned = [
        (week["cancelled"] + week["reduced"]) / sold if sold else 0.0
        for week, sold in zip(weeks, n_sold, strict=True)
    ]
    return {
        "pairs": inline_svg(_line(mondays, [week["pairs"] for week in weeks], ACCENT), "pairs by week"),
        "customers": inline_svg(
            _line(mondays, [week["customers"] for week in weeks], PALETTE[2]), "customers by week"
        ),
        "cancelled": inline_svg(_line(mondays, returned, WARN, percent=True), "share taken back by week"),
    }


def _line(days: Sequence[date], values: Sequence[float], color: str, percent: bool = False) -> "Figure":
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    with drawing() as (figure, axes):
        axes.plot(np.asarray(days, dtype="datetime64[D]"), values, color=color, marker="o", markersize=2.5)
        axes.set_ylim(bottom=0, top=max([*values, 0.01]) * 1.08)
        formatter = PercentFormatter(1, decimals=0) if percent else FuncFormatter(lambda n, _: _n(int(n)))
        axes.yaxis.set_major_formatter(formatter)
    return figure


def _n(count: int) -> str:
    return f"{count:,}"
