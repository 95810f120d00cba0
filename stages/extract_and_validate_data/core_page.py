"""The quality report as a page: rows in, their fate, sales by week, corrections, quarantine, files."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from sodai.report.charts import ACCENT, PALETTE, WARN, drawing
from sodai.report.pages import Bar, Heading, load_template, page
from sodai.report.svg import inline_svg

# The page shows the newest files; quality.json has all.
_N_FILES = 15

_CORRECTION_COLUMNS = (Heading("What"), Heading("Rows", "number"), Heading("How", "wide"))
_REASON_COLUMNS = (Heading("Reason"), Heading("Rows", "number"))
_EXAMPLE_COLUMNS = (Heading("File"), Heading("Row", "number"), Heading("Reason"), Heading("Found", "wide"))
_COUNTS = ("rows", "kept", "netted", "duplicates", "quarantined")
_FILE_COLUMNS = (
    Heading("File"),
    *(Heading(name.capitalize(), "number") for name in _COUNTS),
    Heading("Loaded for"),
    Heading("Columns not read"),
)


def render_quality_page(quality: Mapping[str, Any]) -> str:
    """Return the page of one quality record (`core_quality.build_quality_record`)."""
    totals = quality["totals"]
    files = sorted(quality["files"], key=lambda file: (file["loaded_for"], file["name"]), reverse=True)
    body = load_template(__package__, "quality.html.jinja").render(
        as_of=quality["as_of"],
        tiles=_tiles(quality),
        n={name: _n(totals[name]) for name in _COUNTS},
        fates=_fates(totals),
        notes=quality["notes"],
        later=_n(quality["as_of_or_later"]["lines"]),
        **_plots(quality["weeks"]),
        correction_columns=_CORRECTION_COLUMNS,
        corrections=_corrections(quality),
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
    decoded = f"{share:.3%} fit the formula" if totals["n_decoded"] else "quantities are used as written"
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


def _corrections(quality: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    totals, before = quality["totals"], quality["before_as_of"]
    customers, products = quality["tables"]["customers"], quality["tables"]["products"]
    swapped = ", ".join(str(key) for key in customers["swapped_coordinates"][:10])
    without_key = customers["rows_without_key"] + products["rows_without_key"]
    repeated = customers["duplicate_rows"] + products["duplicate_rows"]
    corrections = [
        ("Exact duplicates", totals["duplicates"], "counted once, also across files"),
        ("Sales cancelled", before["cancelled"], "sold and returned whole in the same order: no purchase"),
        ("Sales reduced", before["reduced"], "returned in part: the rest is the purchase"),
        (
            "Returns without a sale",
            before["returned"],
            "the order has no sale to subtract them from: no purchase",
        ),
        ("Disguised quantities", totals["n_decoded"], "items = (2q + 1) / 3 read as q units"),
        ("Swapped coordinates", len(customers["swapped_coordinates"]), f"exchanged for customers {swapped}"),
        ("Impossible coordinates", len(customers["impossible_coordinates"]), "removed: they are on no map"),
        ("Customers or products without a key", without_key, "left out"),
        ("Customers or products sent twice", repeated, "counted once"),
    ]
    return [(kind, _n(rows), action if rows else "none found") for kind, rows, action in corrections]


def _example(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    columns = ("customer_id", "product_id", "order_id", "purchase_date", "items")
    found = row["found"] or ", ".join(f"{name}={row[name]}" for name in columns)
    return row["file"], _n(row["row"]), row["reason"], found


def _file(file: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (_n(file[name]) for name in _COUNTS)
    return (file["name"], *counts, file["loaded_for"], ", ".join(file["extra_columns"]))


def _plots(weeks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    mondays = [date.fromisoformat(week["week"]) for week in weeks]
    n_sold = [week["purchases"] + week["cancelled"] for week in weeks]
    returned_share = [
        (week["cancelled"] + week["reduced"]) / sold if sold else 0.0
        for week, sold in zip(weeks, n_sold, strict=True)
    ]
    return {
        "pairs": inline_svg(_line(mondays, [week["pairs"] for week in weeks], ACCENT), "pairs by week"),
        "customers": inline_svg(
            _line(mondays, [week["customers"] for week in weeks], PALETTE[2]), "customers by week"
        ),
        "cancelled": inline_svg(_line(mondays, returned_share, WARN, percent=True), "share returned by week"),
    }


def _line(days: Sequence[date], values: Sequence[float], color: str, percent: bool = False) -> Figure:
    with drawing() as (figure, axes):
        axes.plot(np.asarray(days, dtype="datetime64[D]"), values, color=color, marker="o", markersize=2.5)
        axes.set_ylim(bottom=0, top=max([*values, 0.01]) * 1.08)
        formatter = PercentFormatter(1, decimals=0) if percent else FuncFormatter(lambda n, _: _n(int(n)))
        axes.yaxis.set_major_formatter(formatter)
    return figure


def _n(count: int) -> str:
    return f"{count:,}"
