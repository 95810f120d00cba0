"""Column contracts of tables, checked before a table crosses the volume in either direction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sodai.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: of the column.
        type: alias of the Arrow type.
        description: what a value means.
        unit: unit of measure; empty if there is none.
        nullable: whether nulls are allowed.
        minimum, maximum: inclusive bounds of the values; None for no bound.
    """

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @property
    def arrow_type(self) -> "pa.DataType":
        """Return the Arrow type."""
        return _arrow_schema([self]).types[0]


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
        """Return the Arrow schema of a conforming table."""
        return _arrow_schema(self.columns)

    @property
    def names(self) -> list[str]:
        """Return the column names in order."""
        return [column.name for column in self.columns]

    def rename_former(self, table: "pa.Table") -> "pa.Table":
        """Return the table with the names of today for columns that an older version wrote."""
        names = dict(self.former_names)
        return table.rename_columns([names.get(name, name) for name in table.column_names])

    def check(self, table: "pa.Table", where: str) -> None:
        """Compare a table with this contract and report every broken column in one message.

        Args:
            table: any Arrow table.
            where: name of the table in the message, for example `create_features/scoring.parquet`.

        Raises:
            ContractError: columns are missing or not expected, have another type, nulls that are not
                allowed or values out of bounds, or the key is not unique.
        """
        self.check_values(table, where)
        if self.key and table.num_rows:
            _raise_any(_key_faults(self.key, table), where)

    def check_values(self, table: "pa.Table", where: str) -> None:
        """Compare a table without checking that its key is unique.

        For batches of a sorted table, whose order proves that no key repeats.

        Raises:
            ContractError: see `check`.
        """
        faults = self.schema_faults(table.schema)
        if not faults:
            faults = [fault for column in self.columns for fault in _value_faults(column, table)]
        _raise_any(faults, where)

    def check_schema(self, schema: "pa.Schema", where: str) -> None:
        """Compare a schema alone, for tables that are too large to read just for a check.

        Raises:
            ContractError: columns are missing, not expected or of another type.
        """
        _raise_any(self.schema_faults(schema), where)

    def schema_faults(self, schema: "pa.Schema") -> list[str]:
        """Return one phrase for each fault of the columns of `schema`; empty if there is none."""
        faults = [f"column {name} is missing" for name in self.names if name not in schema.names]
        faults += [f"column {name} is not expected" for name in schema.names if name not in self.names]
        for column in self.columns:
            if column.name in schema.names and schema.field(column.name).type != column.arrow_type:
                actual = schema.field(column.name).type
                faults.append(f"column {column.name} has type {actual}, expected {column.arrow_type}")
        return faults


def _arrow_schema(columns: Iterable[Column]) -> "pa.Schema":
    # Every command imports the catalog, even for --help or if the stage is up to date, and the import of
    # pyarrow takes longer than everything else.
    import pyarrow as pa

    return pa.schema([pa.field(column.name, pa.type_for_alias(column.type)) for column in columns])


def _value_faults(column: Column, table: "pa.Table") -> Iterable[str]:
    values = table[column.name]
    if values.null_count and not column.nullable:
        yield f"column {column.name} has {values.null_count} nulls, expected none"
    if column.minimum is None and column.maximum is None:
        return
    bounds = table.group_by([]).aggregate([(column.name, "min"), (column.name, "max")])
    least, most = bounds[0][0].as_py(), bounds[1][0].as_py()
    if column.minimum is not None and least is not None and least < column.minimum:
        yield f"column {column.name} has the value {least}, expected {column.minimum:g} or more"
    if column.maximum is not None and most is not None and most > column.maximum:
        yield f"column {column.name} has the value {most}, expected {column.maximum:g} or less"


def _key_faults(key: tuple[str, ...], table: "pa.Table") -> list[str]:
    distinct = table.group_by(list(key)).aggregate([]).num_rows
    if distinct == table.num_rows:
        return []
    return [f"{table.num_rows - distinct} rows repeat the key ({', '.join(key)}), expected none"]


def _raise_any(faults: list[str], where: str) -> None:
    if faults:
        raise ContractError(
            f"{where}: {'; '.join(faults)}; correct the stage that writes this table and rerun it"
        )
