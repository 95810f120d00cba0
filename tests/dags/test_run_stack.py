"""What `make up` loads, and what it refuses to."""

from pathlib import Path

import pytest

from run_stack import Stack, main

STORE = Stack("s3://bucket/sodai", "sodai/extract_and_validate_data:latest", "8080", "5000")


def test_an_object_store_is_left_as_it_is() -> None:
    assert STORE.load(None) == "what s3://bucket/sodai/raw holds"


def test_a_folder_for_an_object_store_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^SODAI_VOLUME is s3://bucket/sodai, .* sodai\.storage load .*$"):
        STORE.load(tmp_path)


def test_processes_are_refused_where_their_packages_are_not() -> None:
    config = {"services": {"airflow-scheduler": {"environment": {"SODAI_RUNNER": "process"}}}}
    with pytest.raises(OSError, match=r"^SODAI_RUNNER: found process, expected docker or swarm in the full"):
        Stack.of(config)


def test_a_folder_without_parquet_files_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--data", str(tmp_path)]) == 1
    told = f"up: {tmp_path}: no parquet files, expected transactions, customers and products\n"
    assert capsys.readouterr() == ("", told)
