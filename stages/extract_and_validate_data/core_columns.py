"""The columns that a raw file must have, and the types that can be converted without loss."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from sodai.data.catalog import LINES
from sodai.data.contracts import Contract

RAW_TRANSACTIONS = Contract(LINES.contract.columns[:5])

_EXPECTED = {
    "int64": "whole numbers",
    "float64": "numbers",
    "string": "text",
    "date32": "dates, or text as YYYY-MM-DD",
}


@dataclass(frozen=True)
class ColumnMatch:
    """The columns of a file compared with a contract.

    Args:
        names: column of the contract -> column of the file, which may differ in upper and lower case.
        extra: columns of the file that the contract does not have; they are ignored.
        faults: one phrase for each broken column.
    """

    names: Mapping[str, str]
    extra: tuple[str, ...]
    faults: tuple[str, ...]


def match_columns(schema: pa.Schema, contract: Contract) -> ColumnMatch:
    """Compare the columns of a raw file with a contract and report every broken one.

    Every column of the contract is required. A column for which the business has no values may be all null
    where the contract allows null. Extra columns are no fault.
    """
    names_by_lower: dict[str, list[str]] = {}
    for name in schema.names:
        names_by_lower.setdefault(name.lower(), []).append(name)
    faults = []
    for column in contract.columns:
        names = names_by_lower.get(column.name, [])
        if not names:
            faults.append(f"column {column.name} is missing")
        elif len(names) > 1:
            faults.append(f"column {column.name} occurs {len(names)} times, expected once")
        elif not is_lossless(schema.field(names[0]).type, column.arrow_type, column.nullable):
            kind = schema.field(names[0]).type
            faults.append(f"column {names[0]} has type {kind}, expected {_EXPECTED[column.type]}")
    extra = [name for name in schema.names if name.lower() not in contract.names]
    matched = {name: names_by_lower[name][0] for name in contract.names if name in names_by_lower}
    return ColumnMatch(matched, tuple(extra), tuple(faults))


def is_lossless(source: pa.DataType, target: pa.DataType, nullable: bool) -> bool:
    """Return whether values of type `source` may be converted to `target`; each value is checked later."""
    if pa.types.is_null(source):
        return nullable
    if pa.types.is_dictionary(source):
        return is_lossless(source.value_type, target, nullable)
    # Fractions too: pandas writes a column of integers with a null as floats.
    is_number = pa.types.is_integer(source) or pa.types.is_floating(source) or pa.types.is_decimal(source)
    is_text = (
        pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source)
    )
    if target == pa.date32():
        # Not a time with a zone: its day depends on the reader.
        is_day = pa.types.is_date(source) or (pa.types.is_timestamp(source) and source.tz is None)
        return is_day or is_text
    return is_text if target == pa.string() else is_number
