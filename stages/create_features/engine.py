"""Tables that DuckDB holds under a name, and those that it computes again and again."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from ibis.expr.types import Table

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def put(engine: "Backend", name: str, text: str) -> Table:
    """The rows of a query under a name, in place of what had that name."""
    # Ibis 12 writes a DROP that DuckDB 2.0 cannot read, so its own ways to replace a table are out of reach.
    engine.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {text}')
    return engine.table(name, database="temp.main")


def hold(engine: "Backend", name: str, rows: Table) -> Table:
    """The rows computed now, once, under a name."""
    return put(engine, name, engine.compile(rows))


def lay_down(engine: "Backend", folder: Path, name: str, rows: Table) -> Table:
    """The rows computed now, once, and read from a file from then on.

    For what may be larger than memory: a tenth of what a held table takes, of which DuckDB reads the
    parts that a filter leaves.
    """
    file = folder / f"{name}.parquet"
    engine.to_parquet(rows, file)
    return engine.read_parquet(file)


class Steps:
    """Tables that stand under fixed names and are computed anew whenever what they are made of changed.

    Their queries are written once: Ibis needs longer to write those of the features than DuckDB needs
    to run them for a thousand customers.
    """

    def __init__(self, engine: "Backend") -> None:
        self._engine = engine
        self._texts: dict[str, str] = {}

    def hold(self, name: str, rows: Table) -> Table:
        """The table of that name, with its columns and without rows until `run`."""
        self._texts[name] = text = self._engine.compile(rows)
        return put(self._engine, name, f"SELECT * FROM ({text}) LIMIT 0")

    def run(self) -> None:
        """Compute every table, in the order in which they were named."""
        for name, text in self._texts.items():
            put(self._engine, name, text)


class Query:
    """A query that is written once and may be asked again and again."""

    def __init__(self, engine: "Backend", rows: Table) -> None:
        self._engine = engine
        self._text = engine.compile(rows)

    def rows(self) -> pa.RecordBatch:
        """What it gives now."""
        rows = self._engine.con.sql(self._text).to_arrow_table().combine_chunks()
        return next(iter(rows.to_batches()), pa.RecordBatch.from_pylist([], rows.schema))
