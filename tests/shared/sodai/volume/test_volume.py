"""The volume: outputs are read back as written, and damage is reported in one line."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sodai.errors import ContractError, VolumeError
from sodai.volume.volume import Volume
from support.small_stage import AS_OF, FOLDER, NOTES, ORDERS, PAGE, leftovers, orders, publish
from support.week import files_of


def test_a_file_is_refused_as_a_volume(tmp_path: Path) -> None:
    file = tmp_path / "volume"
    file.touch()
    with pytest.raises(VolumeError, match="is a file, expected the folder of the volume"):
        Volume(file)


def test_outputs_are_read_back_as_written(volume: Volume) -> None:
    assert volume.read(ORDERS, AS_OF).to_pydict() == {"order_id": [0], "n_units": [1.0]}
    assert volume.read(ORDERS, AS_OF, columns=["n_units"]).to_pydict() == {"n_units": [1.0]}
    assert volume.read_json(NOTES, AS_OF) == {"version": 1}
    assert set(files_of(volume.root)) == {
        f"{FOLDER}/orders.parquet",
        f"{FOLDER}/notes.json",
        "reports/2024-01-08/example.html",
    }
    assert leftovers(volume) == []


def test_columns_are_stored_in_the_order_of_the_contract_without_other_columns(
    volume: Volume,
) -> None:
    table = orders(2.0).append_column("index", pa.array([0])).select(["index", "n_units", "order_id"])
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write(ORDERS, table.replace_schema_metadata({"pandas": "{}"}))

    stored = pq.read_schema(volume.path(ORDERS, AS_OF))
    assert stored.names == ["order_id", "n_units"]
    assert stored.metadata is None


def test_the_same_table_gives_the_same_bytes(volume: Volume) -> None:
    before = files_of(volume.root)
    publish(volume, 1)
    assert files_of(volume.root) == before


def test_a_table_in_batches_is_stored_as_one(volume: Volume) -> None:
    with volume.attempt("example", AS_OF) as attempt:
        n_rows = attempt.write_batches(ORDERS, orders(1, 2, 3, 4, 5).to_batches(max_chunksize=2))

    assert n_rows == 5
    assert volume.read(ORDERS, AS_OF).equals(orders(1, 2, 3, 4, 5))


def test_a_folder_of_files_is_read_as_one_table_in_the_order_of_their_names(volume: Volume) -> None:
    table = orders(1, 2, 3, 4, 5)
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_batches(ORDERS, table.slice(3).to_batches(), "b.parquet")
        attempt.write_batches(ORDERS, table.slice(0, 3).to_batches(), "a.parquet")

    assert volume.read(ORDERS, AS_OF).equals(table)
    assert volume.read(ORDERS, AS_OF, columns=["n_units"]).equals(table.select(["n_units"]))
    assert volume.read(ORDERS, AS_OF, where=pc.field("order_id") > 2).equals(table.slice(3))


def test_a_folder_without_a_file_is_not_readable_as_a_table(volume: Volume) -> None:
    volume.path(ORDERS, AS_OF).unlink()
    volume.path(ORDERS, AS_OF).mkdir()
    with pytest.raises(VolumeError, match=r"orders.parquet: not readable as parquet .*; run example again"):
        volume.read(ORDERS, AS_OF)


def test_a_publish_root_holds_only_the_outputs_of_the_newest_attempt(volume: Volume) -> None:
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_json(NOTES, {"version": 2})

    assert not volume.exists(ORDERS, AS_OF)
    assert volume.read_json(NOTES, AS_OF) == {"version": 2}
    assert volume.path(PAGE, AS_OF).read_text() == "version 1"


def test_scratch_files_are_not_committed(volume: Volume) -> None:
    before = files_of(volume.root)
    with volume.attempt("example", AS_OF) as attempt:
        (attempt.scratch("spill") / "temporary").write_text("much")
    assert files_of(volume.root) == before


def test_an_error_in_an_attempt_leaves_the_volume_unchanged(volume: Volume) -> None:
    before = files_of(volume.root)

    def write_half() -> None:
        with volume.attempt("example", AS_OF) as attempt:
            attempt.write(ORDERS, orders(2.0))
            attempt.write_text(PAGE, "version 2")
            raise ZeroDivisionError("in the middle")

    with pytest.raises(ZeroDivisionError, match="in the middle"):
        write_half()
    assert files_of(volume.root) == before
    assert leftovers(volume) == []


def test_an_error_in_the_middle_of_a_table_leaves_the_volume_unchanged(volume: Volume) -> None:
    before = files_of(volume.root)
    batches = [*orders(1.0, 2.0).to_batches(), *orders(-1.0).to_batches()]

    with (
        pytest.raises(ContractError, match=r"example/orders.parquet: column n_units has the value -1.0"),
        volume.attempt("example", AS_OF) as attempt,
    ):
        attempt.write_batches(ORDERS, batches)
    assert files_of(volume.root) == before
    assert leftovers(volume) == []


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (orders(1.0).select(["order_id"]), "column n_units is missing"),
        (
            pa.table({"order_id": [0], "n_units": ["1"]}),
            "column n_units has type string, expected double",
        ),
        (
            pa.table({"order_id": pa.array([0, None]), "n_units": [1.0, 1.0]}),
            "column order_id has 1 nulls, expected none",
        ),
        (
            pa.table({"order_id": [7, 7, 8], "n_units": [1.0, 2.0, 3.0]}),
            r"1 rows repeat the key \(order_id\), expected none",
        ),
    ],
)
def test_a_table_that_breaks_its_contract_is_neither_written_nor_read(
    volume: Volume, table: pa.Table, fault: str
) -> None:
    before = files_of(volume.root)
    with (
        pytest.raises(ContractError, match=f"example/orders.parquet: {fault}"),
        volume.attempt("example", AS_OF) as attempt,
    ):
        attempt.write(ORDERS, table)
    assert files_of(volume.root) == before

    pq.write_table(table, volume.path(ORDERS, AS_OF))
    with pytest.raises(ContractError, match=f"example/orders.parquet: {fault}"):
        volume.read(ORDERS, AS_OF)


def test_a_wrong_schema_is_reported_even_when_other_columns_are_read(volume: Volume) -> None:
    pq.write_table(pa.table({"order_id": [0], "n_units": ["1"]}), volume.path(ORDERS, AS_OF))
    with pytest.raises(ContractError, match="column n_units has type string, expected double"):
        volume.read(ORDERS, AS_OF, columns=["order_id"])


def test_nan_is_refused_in_json(volume: Volume) -> None:
    before = files_of(volume.root)
    with (
        pytest.raises(ValueError, match="not JSON compliant"),
        volume.attempt("example", AS_OF) as attempt,
    ):
        attempt.write_json(NOTES, {"share": float("nan")})
    assert files_of(volume.root) == before


def test_dates_become_text_in_json(volume: Volume) -> None:
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write_json(NOTES, {"as_of": AS_OF})
    assert volume.read_json(NOTES, AS_OF) == {"as_of": "2024-01-08"}


def test_a_missing_data_set_is_reported_with_its_file_and_producer(tmp_path: Path) -> None:
    empty = Volume(tmp_path / "empty")
    with pytest.raises(
        VolumeError, match=r"orders.parquet: example/orders.parquet is missing; run example for"
    ):
        empty.read(ORDERS, AS_OF)
    with pytest.raises(VolumeError, match=r"notes.json: example/notes.json is missing; run example for"):
        empty.read_json(NOTES, AS_OF)


def test_a_truncated_or_damaged_table_is_reported_in_one_line(volume: Volume) -> None:
    file = volume.path(ORDERS, AS_OF)
    pq.write_table(orders(*map(float, range(5000))), file, compression="zstd")
    whole = file.read_bytes()
    page = whole.index(b"\x28\xb5\x2f\xfd")  # where zstd's first frame begins
    for damaged in (b"", whole[: len(whole) // 2], whole[:page] + b"\xff" * 40 + whole[page + 40 :]):
        file.write_bytes(damaged)
        with pytest.raises(VolumeError, match=r"orders.parquet: not readable as parquet \(") as error:
            volume.read(ORDERS, AS_OF)
        assert str(error.value).endswith("run example again")
        assert "\n" not in str(error.value)


def test_a_truncated_record_is_reported_in_one_line(volume: Volume) -> None:
    volume.path(NOTES, AS_OF).write_text('{"version": ')
    with pytest.raises(VolumeError, match=r"notes.json: not readable as JSON \(.*; run example again$"):
        volume.read_json(NOTES, AS_OF)


def test_a_relative_root_does_not_follow_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    volume = Volume(Path("volume"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    publish(volume, 3)
    assert Volume(tmp_path / "volume").read_json(NOTES, AS_OF) == {"version": 3}
