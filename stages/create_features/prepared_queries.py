"""Tables that an engine stores under a name: computed once, or again for each period and customer batch."""

from ibis.expr.types import Table

from sodai.engines import Engine


def materialize(engine: Engine, name: str, rows: Table) -> Table:
    """Compute a table now and return it as stored."""
    engine.create_table(name, engine.compile(rows))
    return engine.table(name)


class PreparedQueries:
    """Queries that are compiled once and run whenever the tables that they read have changed."""

    # Ibis needs longer to compile the queries of the features than DuckDB to run them for a thousand
    # customers.
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries: dict[str, str] = {}

    def materialize(self, name: str, rows: Table) -> Table:
        """Prepare a query; return its table, which is empty until `run`."""
        self._queries[name] = query = self._engine.compile(rows)
        return self._engine.empty_like(name, query)

    def run(self) -> None:
        """Compute every table, in the order in which they were prepared."""
        for name, query in self._queries.items():
            self._engine.create_table(name, query)
