"""Ibis tables of a few rows in DuckDB."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import ibis
import pandas as pd
import pytest
from ibis.expr.types import Table

# Columns and rows; the engine reads a file, because Ibis 12 cannot give a frame to DuckDB 2.0.
MakeTable = Callable[[list[str], Sequence[tuple[object, ...]]], Table]


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> MakeTable:
    folder: Path = tmp_path_factory.mktemp("tables")
    connection, numbers = ibis.duckdb.connect(), count()

    def make(columns: list[str], rows: Sequence[tuple[object, ...]]) -> Table:
        file = folder / f"{next(numbers)}.parquet"
        pd.DataFrame(list(rows), columns=columns).to_parquet(file, index=False)
        return connection.read_parquet(file)

    return make
