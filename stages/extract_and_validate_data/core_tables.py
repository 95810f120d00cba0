"""From the raw customers and products to checked tables, with the corrections made on the way."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from extract_and_validate_data.core_columns import ColumnMatch
from sodai.data.contracts import Contract

# Coordinates count as swapped only if swapping brings the point ten times nearer to the others.
_NEARER = 10.0


@dataclass(frozen=True)
class CheckedTable:
    """A table that meets its contract, in order of its key, and its corrections.

    Args:
        table: the corrected rows.
        faults: why the file must be refused; empty if it is usable.
        without_key: rows left out because they have no key.
        duplicates: rows left out because they repeat another.
        swapped: keys of the rows whose latitude and longitude were exchanged.
        impossible: keys of the rows whose coordinates are on no map and were replaced by null.
    """

    table: pa.Table
    faults: tuple[str, ...] = ()
    without_key: int = 0
    duplicates: int = 0
    swapped: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()


@dataclass(frozen=True)
class TableReport:
    """A raw file of customers or products and the result of its check."""

    file: str
    extra_columns: tuple[str, ...]
    checked: CheckedTable

    @property
    def keys(self) -> pa.ChunkedArray:
        """Return the keys of the customers or products."""
        return self.checked.table[self.checked.table.column_names[0]]

    def to_record(self) -> dict[str, Any]:
        """Return the report as JSON."""
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


def check_table(raw: pa.Table, match: ColumnMatch, contract: Contract) -> CheckedTable:
    """Convert a raw table of customers or products to the columns and types of its contract.

    Args:
        raw: as read.
        match: its columns compared with `contract`, without faults.
        contract: has one key column; columns `y` and `x` are coordinates in degrees.

    Returns:
        the table without rows that have no key and without exact duplicates; with `faults` if a value does
        not fit its type, or two rows of a key differ.
    """
    columns, faults = {}, []
    for column in contract.columns:
        values = raw[match.names[column.name]]
        try:
            columns[column.name] = _convert(values, column.arrow_type)
        except pa.ArrowInvalid:
            faults.append(f"column {column.name} has values that are no {column.arrow_type}")
    if faults:
        return CheckedTable(raw, tuple(faults))
    table = pa.table(columns, schema=contract.schema)
    key = contract.key[0]
    keyed = table.filter(pc.is_valid(table[key]))
    distinct = keyed.group_by(contract.names).aggregate([]).select(contract.names).sort_by(key)
    repeated = distinct.num_rows - len(pc.unique(distinct[key]))
    if repeated:
        faults.append(f"{repeated} rows repeat a {key} with other values, expected one row each")
    corrected, swapped, impossible = _correct_coordinates(distinct, key)
    return CheckedTable(
        corrected,
        tuple(faults),
        without_key=table.num_rows - keyed.num_rows,
        duplicates=keyed.num_rows - distinct.num_rows,
        swapped=swapped,
        impossible=impossible,
    )


def find_swapped_coordinates(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the points that are far nearer to the others with latitude and longitude exchanged.

    Args:
        y, x: (n,) degrees, NaN where unknown.

    Returns:
        (n,) mask; all False where fewer than three points are known.
    """
    known = np.isfinite(y) & np.isfinite(x)
    if known.sum() < 3:
        return np.zeros(len(y), dtype=bool)
    middle_y, middle_x = np.median(y[known]), np.median(x[known])
    distance = np.hypot(y - middle_y, x - middle_x)
    distance_if_swapped = np.hypot(x - middle_y, y - middle_x)
    return known & (distance_if_swapped * _NEARER < distance)


def _correct_coordinates(table: pa.Table, key: str) -> tuple[pa.Table, tuple[int, ...], tuple[int, ...]]:
    """Return the table with corrected `y` and `x`, and the keys of swapped and of impossible points."""
    if "y" not in table.column_names:
        return table, (), ()
    raw_y, raw_x = (table[name].to_numpy() for name in ("y", "x"))
    swapped = find_swapped_coordinates(raw_y, raw_x)
    y, x = np.where(swapped, raw_x, raw_y), np.where(swapped, raw_y, raw_x)
    impossible = (np.abs(y) > 90) | (np.abs(x) > 180)
    for name, values in (("y", y), ("x", x)):
        values = pa.array(np.where(impossible, np.nan, values), from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, values)
    keys = table[key].to_numpy()
    return table, tuple(keys[swapped].tolist()), tuple(keys[impossible].tolist())


def _convert(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        # pandas writes a missing value as NaN, and infinity is no measurement.
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
    return values.cast(target)
