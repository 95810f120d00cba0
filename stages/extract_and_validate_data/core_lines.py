"""From the lines of a raw file to lines in known types, each with what is wrong with it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from sodai.data.date_outliers import EARLIEST, LATEST

# Bit i of `faults` stands for the i-th reason. The last two end when the business names the
# customer or the product; the others stay.
REASONS = (
    "no usable customer_id",
    "no usable product_id",
    "no usable order_id",
    "no usable purchase_date",
    "absurd purchase_date",
    "no usable items",
    "unknown customer",
    "unknown product",
)
UNKNOWN_CUSTOMER, UNKNOWN_PRODUCT = 64, 128
LASTING_FAULTS = UNKNOWN_CUSTOMER - 1

# An order of a thousand million units is a broken number; below it sums of units stay exact.
MOST_ITEMS = 1e9
TOLERANCE = 1e-3

# YYYY-MM-DD, which may go on with a time of the day.
_DATE_TEXT = r"^\s*(\d{4}-\d{1,2}-\d{1,2})([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?\s*$"

# Beyond these some whole numbers have no form of their own, so that one may stand for its neighbour.
_LARGEST_EXACT = {dt.Float32: 2**24 - 1, dt.Float64: 2**53 - 1}

# The numbers that are told without an exponent, 0 beside them.
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-9, 1e16

STAGED_COLUMNS = (
    "file_key", "row", "found", "customer_id", "product_id", "order_id", "purchase_date", "items",
    "n_units", "faults",
)  # fmt: skip


def coerced(raw: ir.Table, names: Mapping[str, str]) -> ir.Table:
    """The lines of a raw file in the types of the contract; a value without a lossless form is null.

    Args:
        raw: those columns of the file and `row_number`.
        names: the file's own name of customer_id, product_id, order_id, purchase_date, items.

    Returns:
        row, the five columns, and `found`, the line as it stands under the file's own names.
    """
    ids = {name: _whole(raw[names[name]]) for name in ("customer_id", "product_id", "order_id")}
    items = raw[names["items"]].cast("float64")
    items = ibis.ifelse(_is_finite(items) & (items.abs() <= MOST_ITEMS), items, ibis.null("float64"))
    return raw.select(
        row=raw["row_number"].cast("int64"),
        **ids,
        purchase_date=_day(raw[names["purchase_date"]]),
        # Zero has a sign too, by which engines group or not.
        items=ibis.ifelse(items == 0, 0, items),
        found=ibis.struct({name: raw[name] for name in names.values()}),
    )


def day_profile(lines: ir.Table) -> ir.Table:
    """Lines of each day within EARLIEST and LATEST, in order of the day, for `disguised_days`.

    Returns:
        day, n_lines, n_fit (`items` is a third of an odd number), n_broken (no whole number),
        n_broken_fit (both).
    """
    seen = lines.filter(lines.purchase_date.between(EARLIEST, LATEST), lines["items"].notnull())
    fits = _fits(seen["items"])
    broken = (seen["items"] - seen["items"].round()).abs() >= TOLERANCE
    return (
        seen.group_by(day=seen.purchase_date)
        .agg(
            n_lines=seen.count(),
            n_fit=fits.sum(),
            n_broken=broken.sum(),
            n_broken_fit=(fits & broken).sum(),
        )
        .order_by("day")
    )


def disguised_days(profile: Sequence[Mapping[str, Any]], before: bool) -> list[date]:
    """The days on which `items` is written as (2q + 1) / 3, with q the signed number of units.

    So it is where most lines fit and most of those that are no whole number: honest quantities are
    whole, and a sale and its cancellation are never both whole in disguise. A day whose lines all fit
    and are all whole, as a late cancellation alone can be, is read like the day before it. What is
    dated later never changes how an earlier day is read.

    Args:
        profile: rows of `day_profile`.
        before: whether what was loaded before this file was in disguise.
    """
    days, carried = [], before
    for day in profile:
        if day["n_broken"] or day["n_fit"] < day["n_lines"]:
            carried = 2 * day["n_fit"] > day["n_lines"] and 2 * day["n_broken_fit"] > day["n_broken"]
        if carried:
            days.append(day["day"])
    return days


def judged(
    lines: ir.Table, file_key: int, believable: tuple[date, date], disguised: Sequence[date]
) -> ir.Table:
    """Coerced lines with their units and the reasons, as bits of `faults`, why they cannot be used.

    Args:
        lines: what `coerced` returns.
        file_key: the file's key in the ledger.
        believable: first and last date of the file that are not absurd.
        disguised: days whose quantities are decoded where they fit; elsewhere units are items.

    Returns:
        STAGED_COLUMNS; customers and products are not looked up yet.
    """
    items = lines["items"]
    decode = lines.purchase_date.isin(list(disguised)) & _fits(items) if disguised else ibis.literal(False)
    checks = (
        lines.customer_id.isnull(),
        lines.product_id.isnull(),
        lines.order_id.isnull(),
        lines.purchase_date.isnull(),
        ~lines.purchase_date.between(*believable),
        items.isnull(),
    )
    faults = sum(
        (ibis.ifelse(check.fill_null(False), 1 << bit, 0) for bit, check in enumerate(checks)),
        start=ibis.literal(0),
    ).cast("int16")
    return lines.mutate(
        file_key=ibis.literal(file_key, "int64"),
        n_units=ibis.ifelse(decode, _units(items), _millionths(items)).cast("float64"),
        faults=faults,
        found=ibis.ifelse(faults != 0, _line_text(lines.found), ibis.null("string")),
    ).select(*STAGED_COLUMNS)


def with_unknowns(staged: ir.Table, customers: ir.Table, products: ir.Table) -> ir.Table:
    """Staged lines with the faults UNKNOWN_CUSTOMER and UNKNOWN_PRODUCT set anew.

    `faults_before` holds what `faults` were.

    Args:
        staged: STAGED_COLUMNS, of any origin.
        customers, products: with customer_id and product_id, the keys that the business knows today.
    """
    unknown = sum(
        # Whether a null is among some keys is null in one engine and false in another.
        ibis.ifelse(key.isnull() | key.isin(known), 0, bit)
        for key, known, bit in (
            (staged.customer_id, customers.customer_id, UNKNOWN_CUSTOMER),
            (staged.product_id, products.product_id, UNKNOWN_PRODUCT),
        )
    )
    return staged.mutate(
        faults_before=staged.faults, faults=((staged.faults & LASTING_FAULTS) + unknown).cast("int16")
    )


def reason_text(faults: int) -> str:
    """The reasons that the bits of `faults` stand for, separated by semicolons."""
    return "; ".join(reason for bit, reason in enumerate(REASONS) if faults >> bit & 1)


def _whole(values: ir.Column) -> ir.Column:
    whole, kind = values.try_cast("int64"), values.type()
    if not isinstance(kind, dt.Floating | dt.Decimal):
        return whole
    # A cast rounds; only what comes back unchanged was whole.
    is_whole = whole.cast("float64") == values.cast("float64")
    if isinstance(kind, dt.Floating):
        largest = _LARGEST_EXACT[type(kind)]
        is_whole = is_whole & whole.between(-largest, largest)
    return ibis.ifelse(is_whole, whole, ibis.null("int64"))


def _day(values: ir.Column) -> ir.Column:
    if not isinstance(values.type(), dt.String):
        return values.cast("date")
    # What a cast takes for a date ("2024", "epoch") is another thing in every engine.
    return values.replace("/", "-").re_extract(_DATE_TEXT, 1).try_cast("date")


def _line_text(line: ir.StructColumn) -> ir.Column:
    texts = [ibis.literal(f"{name}=") + _text(line[name]).fill_null("null") for name in line.names]
    return ibis.literal(", ").join(texts)


def _text(values: ir.Column) -> ir.Column:
    """The values as text, the same with every engine: fractions by the shortest digits that stand for them.

    Numbers below 10⁻⁹ and above 10¹⁶ have an exponent, 1.5e300 for example.
    """
    text = values.cast("string")
    if not isinstance(values.type(), dt.Floating):
        return text
    size = values.abs()
    plain = text.try_cast("decimal(38, 20)").cast("string").re_replace(r"\.?0*$", "")
    other = text.lower().replace("infinity", "inf").re_replace(r"(\.0)?e\+?", "e")
    is_plain = _is_finite(values) & (size.between(_SMALLEST_PLAIN, _LARGEST_PLAIN) | (size == 0))
    return ibis.ifelse(is_plain, plain, other)


def _is_finite(values: ir.Column) -> ir.Column:
    # DuckDB answers comparisons, isnan too, by the least and largest value that a file states of itself.
    # NaN is left out of them; a difference is computed.
    return values - values == 0


def _fits(items: ir.Column) -> ir.Column:
    units = (3 * items - 1) / 2
    return (units - units.round()).abs() < TOLERANCE


def _millionths(items: ir.Column) -> ir.Column:
    # Not as 1e6: some engines read a number with a point as a decimal and keep fewer digits.
    return (items * 1_000_000).round().cast("float64") / 1_000_000


def _units(items: ir.Column) -> ir.Column:
    return ((3 * items - 1) / 2).round()
