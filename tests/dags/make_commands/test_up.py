"""The input that `make up` adds, and what it refuses."""

from pathlib import Path

import pytest

from make_commands.up import Stack, main

STORE = Stack("s3://bucket/sodai", "sodai/extract_and_validate_data:latest", "8080", "5000")


def test_an_object_store_stays_unchanged() -> None:
    assert STORE.add_input(None) == "the files in s3://bucket/sodai/raw"


def test_a_folder_for_an_object_store_is_refused_in_one_line(tmp_path: Path) -> None:
    expected = r"^SODAI_VOLUME: found s3://bucket/sodai, expected .* sodai\.object_store load .*$"
    with pytest.raises(OSError, match=expected):
        STORE.add_input(tmp_path)


def test_processes_are_refused_in_the_full_stack() -> None:
    config = {"services": {"airflow-scheduler": {"environment": {"SODAI_RUNNER": "process"}}}}
    with pytest.raises(OSError, match=r"^SODAI_RUNNER: found process, expected docker or swarm in the full"):
        Stack.from_config(config)


def test_a_folder_without_parquet_files_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--data", str(tmp_path)]) == 1
    error = f"up: {tmp_path}: no parquet files, expected transactions, customers and products\n"
    assert capsys.readouterr() == ("", error)
