"""Column contracts of tables, checked before a table crosses the volume in either direction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sodai.errors import ContractError

# Every command reads the list of data sets, also one that only tells its options or that nothing changed:
# pyarrow is imported where a table is there.
if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column of a table: Arrow's name of its type, what it holds, its unit, the values it may take."""

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @property
    def arrow_type(self) -> "pa.DataType":
        """The Arrow type itself."""
        import pyarrow as pa

        return pa.type_for_alias(self.type)


@dataclass(frozen=True)
class Contract:
    """The columns of a table.

    Attributes:
        columns: in their order.
        key: columns whose values no two rows share.
        former_names: (name in files of older versions, name today) of columns that were renamed.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    former_names: tuple[tuple[str, str], ...] = ()

    @property
    def schema(self) -> "pa.Schema":
        """The Arrow schema that a conforming table has."""
        import pyarrow as pa

        return pa.schema([pa.field(column.name, column.arrow_type) for column in self.columns])

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def rename_former(self, table: "pa.Table") -> "pa.Table":
        """Return the table with the names of today for columns that an older version wrote."""
        names = dict(self.former_names)
        return table.rename_columns([names.get(name, name) for name in table.column_names])

    def check(self, table: "pa.Table", where: str) -> None:
        """Compare a table with this contract, and tell every broken column at once.

        Args:
            table: any Arrow table.
            where: how a message names the table, for example `create_features/scoring.parquet`.

        Raises:
            ContractError: columns are missing or too many, have another type, nulls where none
                may be, values out of bounds, or the key is not unique.
        """
        self.check_values(table, where)
        if self.key and table.num_rows:
            _raise_any(_key_faults(self.key, table), where)

    def check_values(self, table: "pa.Table", where: str) -> None:
        """The same without the key, for pieces of a table whose order proves that no key repeats.

        Raises:
            ContractError: see `check`.
        """
        faults = self.schema_faults(table.schema)
        if not faults:
            faults = [fault for column in self.columns for fault in _value_faults(column, table)]
        _raise_any(faults, where)

    def check_schema(self, schema: "pa.Schema", where: str) -> None:
        """Compare a schema alone, for tables too large to read only for checking.

        Raises:
            ContractError: columns are missing, too many or of another type.
        """
        _raise_any(self.schema_faults(schema), where)

    def schema_faults(self, schema: "pa.Schema") -> list[str]:
        """What is wrong with the columns of `schema`, one phrase each; empty if nothing is."""
        faults = [f"column {name} is missing" for name in self.names if name not in schema.names]
        faults += [f"column {name} is not expected" for name in schema.names if name not in self.names]
        for column in self.columns:
            if column.name in schema.names and schema.field(column.name).type != column.arrow_type:
                found = schema.field(column.name).type
                faults.append(f"column {column.name} has type {found}, expected {column.arrow_type}")
        return faults


def _value_faults(column: Column, table: "pa.Table") -> Iterable[str]:
    values = table[column.name]
    if values.null_count and not column.nullable:
        yield f"column {column.name} has {values.null_count} nulls, expected none"
    if column.minimum is None and column.maximum is None:
        return
    import pyarrow.compute as pc

    bounds = pc.min_max(values).as_py()
    if column.minimum is not None and bounds["min"] is not None and bounds["min"] < column.minimum:
        yield f"column {column.name} has the value {bounds['min']}, expected {column.minimum:g} or more"
    if column.maximum is not None and bounds["max"] is not None and bounds["max"] > column.maximum:
        yield f"column {column.name} has the value {bounds['max']}, expected {column.maximum:g} or less"


def _key_faults(key: tuple[str, ...], table: "pa.Table") -> list[str]:
    distinct = table.group_by(list(key)).aggregate([]).num_rows
    if distinct == table.num_rows:
        return []
    return [f"{table.num_rows - distinct} rows repeat the key ({', '.join(key)}), expected none"]


def _raise_any(faults: list[str], where: str) -> None:
    if faults:
        raise ContractError(f"{where}: {'; '.join(faults)}; correct what writes this table and run again")
