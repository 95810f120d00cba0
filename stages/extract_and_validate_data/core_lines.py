"""From the rows of a raw transaction file to typed lines, each with its faults."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from sodai.data.date_outliers import EARLIEST, LATEST

# Bit i of `faults` is the i-th reason. The last two are cleared when the business sends the customer or
# the product; the others are permanent.
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
PERMANENT_FAULTS = UNKNOWN_CUSTOMER - 1

# An order of a thousand million units is a broken number; below it sums of units stay exact.
MAX_ITEMS = 1e9
TOLERANCE = 1e-3

# YYYY-MM-DD, optionally followed by a time of the day.
_DATE_TEXT = r"^\s*(\d{4}-\d{1,2}-\d{1,2})([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?\s*$"

# Beyond these several whole numbers share one float.
_LARGEST_EXACT = {dt.Float32: 2**24 - 1, dt.Float64: 2**53 - 1}

# The numbers that are written without an exponent, and 0.
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-9, 1e16

STAGED_COLUMNS = (
    "file_key", "row", "found", "customer_id", "product_id", "order_id", "purchase_date", "items",
    "n_units", "faults",
)  # fmt: skip


def coerce_lines(raw: ir.Table, names: Mapping[str, str]) -> ir.Table:
    """Convert the rows of a raw file to the types of the contract; a value with a lossy conversion is null.

    Args:
        raw: the columns of `names` and `row_number`.
        names: customer_id, product_id, order_id, purchase_date, items -> the file's own column.

    Returns:
        row, the five columns, and `found`, a struct of the original values under the file's own names.
    """
    ids = {name: _to_whole(raw[names[name]]) for name in ("customer_id", "product_id", "order_id")}
    items = raw[names["items"]].cast("float64")
    items = ibis.ifelse(_is_finite(items) & (items.abs() <= MAX_ITEMS), items, ibis.null("float64"))
    return raw.select(
        row=raw["row_number"].cast("int64"),
        **ids,
        purchase_date=_to_day(raw[names["purchase_date"]]),
        # One zero: engines differ in whether they group 0 and -0.
        items=ibis.ifelse(items == 0, 0, items),
        found=ibis.struct({name: raw[name] for name in names.values()}),
    )


def profile_days(lines: ir.Table) -> ir.Table:
    """Count the lines of each day from EARLIEST to LATEST, in order of the day, for `find_disguised_days`.

    Returns:
        day, n_lines, n_fit (`items` is a third of an odd number), n_broken (no whole number),
        n_broken_fit (both).
    """
    readable = lines.filter(lines.purchase_date.between(EARLIEST, LATEST), lines["items"].notnull())
    fits = _fits_disguise(readable["items"])
    broken = (readable["items"] - readable["items"].round()).abs() >= TOLERANCE
    return (
        readable.group_by(day=readable.purchase_date)
        .agg(
            n_lines=readable.count(),
            n_fit=fits.sum(),
            n_broken=broken.sum(),
            n_broken_fit=(fits & broken).sum(),
        )
        .order_by("day")
    )


def find_disguised_days(profile: Sequence[Mapping[str, Any]], before: bool) -> list[date]:
    """Return the days on which `items` is written in disguise: (2q + 1) / 3 for a signed number of units q.

    A day is disguised if most of its lines fit the formula, and most of those that are no whole number.
    Dates after a day never change how it is read.

    Args:
        profile: rows of `profile_days`.
        before: whether the files loaded before this one were in disguise.
    """
    days, is_disguised = [], before
    for day in profile:
        # Honest quantities are whole, and a sale and its cancellation are never both whole in disguise. A
        # day whose lines all fit and are all whole, a late cancellation for example, is read like the day
        # before it.
        if day["n_broken"] or day["n_fit"] < day["n_lines"]:
            is_disguised = 2 * day["n_fit"] > day["n_lines"] and 2 * day["n_broken_fit"] > day["n_broken"]
        if is_disguised:
            days.append(day["day"])
    return days


def check_lines(
    lines: ir.Table, file_key: int, plausible: tuple[date, date], disguised: Sequence[date]
) -> ir.Table:
    """Add to coerced lines their units and their faults, the bits of REASONS.

    Args:
        lines: what `coerce_lines` returns.
        file_key: the file's key in the ledger.
        plausible: first and last plausible date of the file, both inclusive.
        disguised: days whose quantities are decoded where they fit; elsewhere units are items.

    Returns:
        STAGED_COLUMNS; customers and products are not looked up yet.
    """
    items = lines["items"]
    decode = ibis.literal(False)
    if disguised:
        decode = lines.purchase_date.isin(list(disguised)) & _fits_disguise(items)
    checks = (
        lines.customer_id.isnull(),
        lines.product_id.isnull(),
        lines.order_id.isnull(),
        lines.purchase_date.isnull(),
        ~lines.purchase_date.between(*plausible),
        items.isnull(),
    )
    faults = sum(
        (ibis.ifelse(check.fill_null(False), 1 << bit, 0) for bit, check in enumerate(checks)),
        start=ibis.literal(0),
    ).cast("int16")
    return lines.mutate(
        file_key=ibis.literal(file_key, "int64"),
        n_units=ibis.ifelse(decode, _decode(items), _round_to_millionths(items)).cast("float64"),
        faults=faults,
        found=ibis.ifelse(faults != 0, _line_text(lines.found), ibis.null("string")),
    ).select(*STAGED_COLUMNS)


def flag_unknown_keys(staged: ir.Table, customers: ir.Table, products: ir.Table) -> ir.Table:
    """Set or clear the faults UNKNOWN_CUSTOMER and UNKNOWN_PRODUCT; `faults_before` has the earlier faults.

    Args:
        staged: STAGED_COLUMNS, of new files and of the quarantine.
        customers, products: customer_id and product_id of today's customers and products.
    """
    unknown = sum(
        # Engines differ in whether a null is contained in a list: null or false.
        ibis.ifelse(key.isnull() | key.isin(known), 0, bit)
        for key, known, bit in (
            (staged.customer_id, customers.customer_id, UNKNOWN_CUSTOMER),
            (staged.product_id, products.product_id, UNKNOWN_PRODUCT),
        )
    )
    return staged.mutate(
        faults_before=staged.faults, faults=((staged.faults & PERMANENT_FAULTS) + unknown).cast("int16")
    )


def join_reasons(faults: int) -> str:
    """Return the reasons of the bits of `faults`, separated by semicolons."""
    return "; ".join(reason for bit, reason in enumerate(REASONS) if faults >> bit & 1)


def _to_whole(values: ir.Column) -> ir.Column:
    whole, kind = values.try_cast("int64"), values.type()
    if not isinstance(kind, dt.Floating | dt.Decimal):
        return whole
    # A cast rounds; a value that casts back to itself was whole.
    is_whole = whole.cast("float64") == values.cast("float64")
    if isinstance(kind, dt.Floating):
        largest = _LARGEST_EXACT[type(kind)]
        is_whole = is_whole & whole.between(-largest, largest)
    return ibis.ifelse(is_whole, whole, ibis.null("int64"))


def _to_day(values: ir.Column) -> ir.Column:
    if not isinstance(values.type(), dt.String):
        return values.cast("date")
    # Engines differ in the texts that they cast to a date ("2024", "epoch").
    return values.replace("/", "-").re_extract(_DATE_TEXT, 1).try_cast("date")


def _line_text(line: ir.StructColumn) -> ir.Column:
    texts = [ibis.literal(f"{name}=") + _to_text(line[name]).fill_null("null") for name in line.names]
    return ibis.literal(", ").join(texts)


def _to_text(values: ir.Column) -> ir.Column:
    """Return the values as text, the same in every engine; fractions with the fewest exact digits.

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
    # DuckDB answers comparisons, isnan too, from the minimum and maximum in the file's statistics, which
    # leave NaN out; a difference is computed.
    return values - values == 0


def _fits_disguise(items: ir.Column) -> ir.Column:
    units = (3 * items - 1) / 2
    return (units - units.round()).abs() < TOLERANCE


def _decode(items: ir.Column) -> ir.Column:
    return ((3 * items - 1) / 2).round()


def _round_to_millionths(items: ir.Column) -> ir.Column:
    # Not as 1e6: some engines read a number with a point as a decimal and keep fewer digits.
    return (items * 1_000_000).round().cast("float64") / 1_000_000
