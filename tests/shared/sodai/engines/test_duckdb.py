"""The engine holds no more than it may, and what the machine refuses is told in one line."""

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

MUCH = "CREATE TEMP TABLE much AS SELECT hash(range) AS number FROM range(8_000_000)"


def test_what_does_not_fit_into_memory_is_laid_on_disk(tmp_path: Path) -> None:
    engine = connect(32, tmp_path / "spill")
    # 64 MB in 32 MiB.
    engine.raw_sql(MUCH)
    assert sum(file.stat().st_size for file in (tmp_path / "spill").iterdir()) > 20_000_000
    assert engine.con.execute("SELECT count(*) FROM much").fetchall() == [(8_000_000,)]


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
        engine.raw_sql(MUCH)


def test_any_other_error_of_the_engine_is_a_bug_and_passes(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException, match="nowhere"), explain_engine_errors(64, tmp_path):
        connect(64, tmp_path / "spill").raw_sql("FROM nowhere")


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(connect(64, tmp_path / "spill"), tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_disk_on_which_nothing_more_may_be_written_is_full_and_no_file_damaged(
    tmp_path: Path, engine: DuckDBEngine, number: int
) -> None:
    refusal = duckdb.IOException(f'Could not write file "part": {os.strerror(number)}')
    assert is_full(str(refusal))
    raw = tmp_path / "raw.parquet"
    line = rf"^{tmp_path}: is full "
    with (
        pytest.raises(VolumeError, match=line),
        explain_engine_errors(64, tmp_path),
        engine.explain_raw_errors(raw),
    ):
        raise refusal


def test_a_query_that_is_wrong_is_no_damage_of_the_file(tmp_path: Path, engine: DuckDBEngine) -> None:
    with (
        pytest.raises(duckdb.BinderException, match="nobody"),
        engine.explain_raw_errors(tmp_path / "raw.parquet"),
    ):
        engine.to_pyarrow("SELECT nobody FROM range(3)")


@pytest.mark.parametrize("folder", ["run", "run[1]", "r*n"])
@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("lines[1]", "lines1"),
        ("lines*", "lines1"),
        ("lines?", "lines1"),
        ("lines{1,2}", "lines1"),
        ("o'n", "on"),
    ],
)
def test_a_file_is_read_by_its_name_and_no_other_that_is_alike(
    tmp_path: Path, engine: DuckDBEngine, folder: str, name: str, alike: str
) -> None:
    for place in (folder, "run1"):
        (tmp_path / place).mkdir()
        for number, file in enumerate((name, alike)):
            pq.write_table(pa.table({"number": [number]}), tmp_path / place / f"{file}.parquet")
    file = tmp_path / folder / f"{name}.parquet"
    assert engine.to_pyarrow(engine.compile(engine.read_parquet([file]))).to_pylist() == [{"number": 0}]
    raw = engine.compile(engine.read_raw(file, ["number"]))
    assert engine.to_pyarrow(raw).to_pylist() == [{"number": 0, "row_number": 0}]


def test_rows_are_numbered_as_they_stand_whatever_a_column_is_called(
    tmp_path: Path, engine: DuckDBEngine
) -> None:
    columns = {"File_Row_Number": [7, 8, 9], "items": [1.0, 2.0, 3.0], "row_number": [4, 5, 6]}
    pq.write_table(pa.table(columns), tmp_path / "raw.parquet", row_group_size=2)
    rows = engine.read_raw(tmp_path / "raw.parquet", ["items"]).order_by("row_number")
    assert engine.to_pyarrow(engine.compile(rows)).to_pydict() == {
        "items": [1.0, 2.0, 3.0],
        "row_number": [0, 1, 2],
    }
