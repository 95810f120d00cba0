"""Rows of one ordered table that are taken along with those of another."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


class MergeCursor:
    """Rows ordered by customer_id that are taken along with those of another table."""

    def __init__(self, pieces: Iterable[pa.Table], schema: pa.Schema) -> None:
        self._pieces = iter(pieces)
        self._held = schema.empty_table()

    def up_to(self, customer_id: int) -> pa.Table:
        """The rows of customers up to `customer_id` (inclusive) that were not taken before."""
        taken = [self._held]
        while not self._held.num_rows or self._held["customer_id"][-1].as_py() <= customer_id:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held = piece
            taken.append(piece)
        rows = pa.concat_tables(taken)
        end = int(np.searchsorted(rows["customer_id"].to_numpy(), customer_id, side="right"))
        self._held = rows.slice(end)
        return rows.slice(0, end)
