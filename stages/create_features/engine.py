"""Tables that an engine holds under a name, and those that it computes again and again."""

from ibis.expr.types import Table

from sodai.engines import Engine


def hold(engine: Engine, name: str, rows: Table) -> Table:
    """The rows computed now, once, under a name."""
    engine.create_table(name, engine.compile(rows))
    return engine.table(name)


class Steps:
    """Tables that stand under fixed names and are computed anew whenever what they are made of changed.

    Their queries are written once: Ibis needs longer to write those of the features than DuckDB needs
    to run them for a thousand customers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries: dict[str, str] = {}

    def hold(self, name: str, rows: Table) -> Table:
        """The table of that name, with its columns and without rows until `run`."""
        self._queries[name] = query = self._engine.compile(rows)
        return self._engine.empty_like(name, query)

    def run(self) -> None:
        """Compute every table, in the order in which they were named."""
        for name, query in self._queries.items():
            self._engine.create_table(name, query)
