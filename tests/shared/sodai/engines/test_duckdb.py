"""The limits of DuckDB, its errors in one line, and the files that it reads."""

import errno
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.engines import is_full
from sodai.engines.duckdb import DuckDBEngine, connect, explain_engine_errors
from sodai.errors import InputError, VolumeError

FILL_64_MB = "CREATE TEMP TABLE large AS SELECT hash(range) AS number FROM range(8_000_000)"


def test_tables_larger_than_memory_spill_to_disk(tmp_path: Path) -> None:
    engine = connect(32, tmp_path / "spill")
    engine.raw_sql(FILL_64_MB)
    assert sum(file.stat().st_size for file in (tmp_path / "spill").iterdir()) > 20_000_000
    assert engine.con.execute("SELECT count(*) FROM large").fetchall() == [(8_000_000,)]


def test_too_little_memory_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    engine = connect(20, tmp_path / "spill")
    line = r"^--memory-limit: 20 MiB are too few \(.*\); give the stage more memory$"
    with pytest.raises(InputError, match=line), explain_engine_errors(20, tmp_path):
        engine.raw_sql("SELECT list(range ORDER BY hash(range)) FROM range(8_000_000)")


def test_a_full_disk_is_one_line_that_names_the_volume(tmp_path: Path) -> None:
    engine = connect(32, tmp_path / "spill")
    engine.raw_sql("SET max_temp_directory_size = '10MiB'")
    line = rf"^{tmp_path}: is full \(.*\); give it space and run again$"
    with pytest.raises(VolumeError, match=line), explain_engine_errors(32, tmp_path):
        engine.raw_sql(FILL_64_MB)


def test_other_errors_of_the_engine_are_raised_unchanged(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException, match="no_table"), explain_engine_errors(64, tmp_path):
        connect(64, tmp_path / "spill").raw_sql("FROM no_table")


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(connect(64, tmp_path / "spill"), tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_full_disk_or_quota_is_not_reported_as_a_damaged_file(
    tmp_path: Path, engine: DuckDBEngine, number: int
) -> None:
    disk_error = duckdb.IOException(f'Could not write file "part": {os.strerror(number)}')
    assert is_full(str(disk_error))
    raw = tmp_path / "raw.parquet"
    line = rf"^{tmp_path}: is full "
    with (
        pytest.raises(VolumeError, match=line),
        explain_engine_errors(64, tmp_path),
        engine.explain_raw_errors(raw),
    ):
        raise disk_error


def test_a_wrong_query_is_not_reported_as_a_damaged_file(tmp_path: Path, engine: DuckDBEngine) -> None:
    with (
        pytest.raises(duckdb.BinderException, match="no_column"),
        engine.explain_raw_errors(tmp_path / "raw.parquet"),
    ):
        engine.to_pyarrow("SELECT no_column FROM range(3)")


@pytest.mark.parametrize("folder", ["run", "run[1]", "r*n"])
@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("lines[1]", "lines1"),
        ("lines*", "lines1"),
        ("lines?", "lines1"),
        ("lines{1,2}", "lines1"),
        ("o'n", "on"),
    ],
)
def test_a_name_with_wildcards_reads_that_file_only(
    tmp_path: Path, engine: DuckDBEngine, folder: str, name: str, similar: str
) -> None:
    for parent in (folder, "run1"):
        (tmp_path / parent).mkdir()
        for number, file in enumerate((name, similar)):
            pq.write_table(pa.table({"number": [number]}), tmp_path / parent / f"{file}.parquet")
    file = tmp_path / folder / f"{name}.parquet"
    assert engine.to_pyarrow(engine.compile(engine.read_parquet([file]))).to_pylist() == [{"number": 0}]
    raw = engine.compile(engine.read_raw(file, ["number"]))
    assert engine.to_pyarrow(raw).to_pylist() == [{"number": 0, "row_number": 0}]


def test_rows_are_numbered_in_file_order_whatever_the_names_of_columns(
    tmp_path: Path, engine: DuckDBEngine
) -> None:
    columns = {"File_Row_Number": [7, 8, 9], "items": [1.0, 2.0, 3.0], "row_number": [4, 5, 6]}
    pq.write_table(pa.table(columns), tmp_path / "raw.parquet", row_group_size=2)
    rows = engine.read_raw(tmp_path / "raw.parquet", ["items"]).order_by("row_number")
    assert engine.to_pyarrow(engine.compile(rows)).to_pydict() == {
        "items": [1.0, 2.0, 3.0],
        "row_number": [0, 1, 2],
    }
