"""From the raw customers and products to checked tables, with what was put right on the way."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_and_validate_data.core_columns import Match
from sodai.data.contracts import Contract

# A point is taken for swapped only if swapping brings it ten times nearer to the others.
_NEARER = 10.0


@dataclass(frozen=True)
class Checked:
    """A table that keeps its contract, in key order, and what had to be done to it.

    `without_key` and `duplicates` count the rows left out; `swapped` and `impossible` hold the keys
    of the rows whose coordinates were exchanged or, being on no map, emptied.
    """

    table: pa.Table
    faults: tuple[str, ...] = ()
    without_key: int = 0
    duplicates: int = 0
    swapped: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()


@dataclass(frozen=True)
class TableReport:
    """A raw file of customers or products and what checking it found."""

    file: str
    extra_columns: tuple[str, ...]
    checked: Checked

    @property
    def keys(self) -> pa.ChunkedArray:
        """The keys that the business knows."""
        return self.checked.table[self.checked.table.column_names[0]]

    def to_record(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "file": self.file,
            "rows": len(self.checked.table),
            "rows_without_key": self.checked.without_key,
            "duplicate_rows": self.checked.duplicates,
            "swapped_coordinates": list(self.checked.swapped),
            "impossible_coordinates": list(self.checked.impossible),
            "extra_columns": list(self.extra_columns),
            "nulls": {
                name: self.checked.table[name].null_count
                for name in self.checked.table.column_names
                if self.checked.table[name].null_count
            },
        }


def check_table(raw: pa.Table, match: Match, contract: Contract) -> Checked:
    """A raw table of customers or products in the columns and types of its contract.

    Args:
        raw: as read.
        match: its columns held against `contract`, without faults.
        contract: has one key column; columns `y` and `x` are coordinates in degrees.

    Returns:
        the table without rows that have no key and without exact duplicates; with `faults` where a
        value does not fit its type, or a key stands there with different values.
    """
    columns, faults = {}, []
    for column in contract.columns:
        values = raw[match.names[column.name]]
        try:
            columns[column.name] = _as_type(values, column.arrow_type)
        except pa.ArrowInvalid:
            faults.append(f"column {column.name} has values that are no {column.arrow_type}")
    if faults:
        return Checked(raw, tuple(faults))
    table = pa.table(columns, schema=contract.schema)
    key = contract.key[0]
    keyed = table.filter(pc.is_valid(table[key]))
    distinct = keyed.group_by(contract.names).aggregate([]).select(contract.names).sort_by(key)
    repeated = distinct.num_rows - len(pc.unique(distinct[key]))
    if repeated:
        faults.append(f"{repeated} rows repeat a {key} with other values, expected one row each")
    put_right, swapped, impossible = _coordinates(distinct, key)
    return Checked(
        put_right,
        tuple(faults),
        without_key=table.num_rows - keyed.num_rows,
        duplicates=keyed.num_rows - distinct.num_rows,
        swapped=swapped,
        impossible=impossible,
    )


def swapped_rows(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which points have latitude and longitude exchanged: swapped they lie far nearer to the rest.

    Args:
        y, x: (n,) degrees, NaN where unknown.

    Returns:
        (n,) mask; all False where fewer than three points are known.
    """
    known = np.isfinite(y) & np.isfinite(x)
    if known.sum() < 3:
        return np.zeros(len(y), dtype=bool)
    middle_y, middle_x = np.median(y[known]), np.median(x[known])
    as_given = np.hypot(y - middle_y, x - middle_x)
    exchanged = np.hypot(x - middle_y, y - middle_x)
    return known & (exchanged * _NEARER < as_given)


def _coordinates(table: pa.Table, key: str) -> tuple[pa.Table, tuple[int, ...], tuple[int, ...]]:
    if "y" not in table.column_names:
        return table, (), ()
    given_y, given_x = (table[name].to_numpy() for name in ("y", "x"))
    swapped = swapped_rows(given_y, given_x)
    y, x = np.where(swapped, given_x, given_y), np.where(swapped, given_y, given_x)
    impossible = (np.abs(y) > 90) | (np.abs(x) > 180)
    for name, values in (("y", y), ("x", x)):
        values = pa.array(np.where(impossible, np.nan, values), from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, values)
    keys = table[key].to_numpy()
    return table, tuple(keys[swapped].tolist()), tuple(keys[impossible].tolist())


def _as_type(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        # pandas writes what is missing as NaN, and infinity is no measurement.
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
    return values.cast(wanted)
