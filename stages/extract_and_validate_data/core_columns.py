"""Which columns a raw file must have, and which of its types are taken over without loss."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from sodai.data.catalog import CUSTOMERS, LINES, PRODUCTS
from sodai.data.contracts import Contract

RAW_TRANSACTIONS = Contract(LINES.contract.columns[:5])
RAW_CUSTOMERS = CUSTOMERS.contract
RAW_PRODUCTS = PRODUCTS.contract

_EXPECTED = {
    "int64": "whole numbers",
    "float64": "numbers",
    "string": "text",
    "date32": "dates, or text as YYYY-MM-DD",
}


@dataclass(frozen=True)
class Match:
    """How the columns of a file meet a contract.

    `names` maps the contract's column to the file's, which may differ in upper and lower case;
    `extra` are columns that nobody reads; `faults` says what is wrong, one phrase each.
    """

    names: Mapping[str, str]
    extra: tuple[str, ...]
    faults: tuple[str, ...]


def match_columns(schema: pa.Schema, contract: Contract) -> Match:
    """Hold the columns of a raw file against a contract; every broken column is told.

    Every column of the contract must be there. One that the business does not have may be all null
    where the contract allows null. Extra columns are no fault.
    """
    found: dict[str, list[str]] = {}
    for name in schema.names:
        found.setdefault(name.lower(), []).append(name)
    faults = []
    for column in contract.columns:
        names = found.get(column.name, [])
        if not names:
            faults.append(f"column {column.name} is missing")
        elif len(names) > 1:
            faults.append(f"column {column.name} is there {len(names)} times, expected once")
        elif not is_lossless(schema.field(names[0]).type, column.arrow_type, column.nullable):
            kind = schema.field(names[0]).type
            faults.append(f"column {names[0]} has type {kind}, expected {_EXPECTED[column.type]}")
    extra = [name for name in schema.names if name.lower() not in contract.names]
    names_by_column = {name: found[name][0] for name in contract.names if name in found}
    return Match(names_by_column, tuple(extra), tuple(faults))


def is_lossless(found: pa.DataType, wanted: pa.DataType, nullable: bool) -> bool:
    """Whether values of type `found` can be read as `wanted`.

    Fractions stand for whole numbers too, because pandas writes integers beside a null that way;
    each value is checked when it is read. A time with a zone is refused: its day depends on the reader.
    """
    if pa.types.is_null(found):
        return nullable
    if pa.types.is_dictionary(found):
        return is_lossless(found.value_type, wanted, nullable)
    is_number = pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found)
    is_text = pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found)
    if wanted == pa.date32():
        is_day = pa.types.is_date(found) or (pa.types.is_timestamp(found) and found.tz is None)
        return is_day or is_text
    return is_text if wanted == pa.string() else is_number
