"""A cursor that reads one sorted table in step with another."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


class MergeCursor:
    """The rows of a table ordered by customer_id, read up to one customer after another.

    Args:
        batches: rows in order.
        schema: of each of them.
    """

    def __init__(self, batches: Iterable[pa.Table], schema: pa.Schema) -> None:
        self._batches = iter(batches)
        self._rest = schema.empty_table()

    def up_to(self, customer_id: int) -> pa.Table:
        """Return the rows of customers up to `customer_id` (inclusive) that were not returned before."""
        tables = [self._rest]
        while not tables[-1].num_rows or tables[-1]["customer_id"][-1].as_py() <= customer_id:
            batch = next(self._batches, None)
            if batch is None:
                break
            tables.append(batch)
        rows = pa.concat_tables(tables)
        end = int(np.searchsorted(rows["customer_id"].to_numpy(), customer_id, side="right"))
        self._rest = rows.slice(end)
        return rows.slice(0, end)
