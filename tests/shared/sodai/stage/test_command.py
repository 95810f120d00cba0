"""The edge of a stage as a process: exit code, JSON line, log and run record."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sodai.data.catalog import run_record
from sodai.volume.volume import Volume
from support.small_stage import files_in

_STAGE = """
import logging
from typing import Any
from sodai.stage.command import *
from sodai.stage.command import DEFAULT_DATA
from sodai.errors import InputError
from sodai.stage.inputs import Inputs

def made(as_of: AsOf, data: DataRoot = DEFAULT_DATA, horizon_days: HorizonDays = 7) -> dict[str, Any]:
    "Make what was asked for."
{body}

run_app(stage_command("made", Inputs())(made), "made")
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON result, the only line on stdout."""
        (line,) = self.stdout.splitlines()
        record: dict[str, Any] = json.loads(line)
        return record


def run(body: str, *options: str, **environment: str) -> Ended:
    """Run a stage whose function has the given body."""
    shared = Path(__file__).parents[4] / "shared"
    with TemporaryDirectory() as folder:
        program = Path(folder) / "made.py"
        program.write_text(_STAGE.format(body=body))
        done = subprocess.run(
            [sys.executable, program, *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(shared), "TERM": "dumb", **environment},
        )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_stage_that_works_says_so_in_one_json_line_and_leaves_a_record(tmp_path: Path) -> None:
    before = time.time()
    body = """
    log.info("half way")
    bytearray(64 << 20)
    return {"n_rows": 3, "horizon": horizon_days, "newest": date(2024, 1, 7)}
"""
    ended = run(body, "--as-of", "2024-01-08", "--data", str(tmp_path), "--horizon-days", "5")

    assert ended.code == 0, ended.stderr
    assert ended.result == {
        "stage": "made",
        "status": "done",
        "as_of": "2024-01-08",
        "n_rows": 3,
        "horizon": 5,
        "newest": "2024-01-07",
    }
    assert "made INFO half way" in ended.stderr
    assert files_in(tmp_path) == ["weeks/2024-01-08/made/run.json"]
    record = Volume(tmp_path).read_json(run_record("made"), date(2024, 1, 8))
    assert set(record) == {
        "stage",
        "started",
        "wall_seconds",
        "cpu_seconds",
        "peak_memory_mib",
        "result",
        "key",
        "outputs",
        "registry",
    }
    assert set(record["key"]) == {"settings", "inputs", "code", "packages"}
    assert record["key"]["settings"] == {"as_of": "2024-01-08", "horizon_days": "5"}
    assert (record["stage"], record["result"]) == ("made", ended.result)
    assert before <= record["started"] <= time.time()
    assert record["wall_seconds"] <= time.time() - before
    assert record["peak_memory_mib"] > 64
    assert record["cpu_seconds"] > 0


def test_the_peak_is_that_of_the_stage_and_not_of_who_started_it(tmp_path: Path) -> None:
    large = bytearray(os.urandom(1)) * (512 << 20)
    ended = run("    return {}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert ended.code == 0, ended.stderr
    record = Volume(tmp_path).read_json(run_record("made"), date(2024, 1, 8))
    assert record["peak_memory_mib"] < len(large) >> 20


def test_an_expected_failure_is_one_line_of_json_and_of_log_and_leaves_nothing(tmp_path: Path) -> None:
    body = "    raise InputError('raw/x.parquet: found nothing,\\n  expected lines; add some')"
    ended = run(body, "--as-of", "2024-01-08", "--data", str(tmp_path))

    assert ended.code == 1
    message = "raw/x.parquet: found nothing, expected lines; add some"
    assert ended.result == {"stage": "made", "status": "failed", "error": message}
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"made ERROR {message}")
    assert files_in(tmp_path) == []


def test_any_other_failure_is_a_traceback_without_a_result(tmp_path: Path) -> None:
    ended = run("    return {'ratio': 1 / 0}", "--as-of", "2024-01-08", "--data", str(tmp_path))

    assert ended.code == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("Traceback (most recent call last):")
    assert ended.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert files_in(tmp_path) == []


def test_a_figure_that_json_does_not_have_is_a_bug_and_leaves_nothing(tmp_path: Path) -> None:
    ended = run("    return {'share': float('nan')}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert (ended.code, ended.stdout) == (1, "")
    assert "ValueError" in ended.stderr
    assert files_in(tmp_path) == []


def test_the_period_that_a_stage_finds_out_itself_wins_over_auto(tmp_path: Path) -> None:
    ended = run("    return {'as_of': '2024-02-05'}", "--as-of", "auto", "--data", str(tmp_path))

    assert ended.code == 0, ended.stderr
    assert ended.result == {"stage": "made", "status": "done", "as_of": "2024-02-05"}
    assert files_in(tmp_path) == ["weeks/2024-02-05/made/run.json"]


def test_auto_that_a_stage_does_not_find_out_is_an_expected_failure(tmp_path: Path) -> None:
    ended = run("    return {}", "--as-of", "auto", "--data", str(tmp_path))
    assert ended.code == 1
    assert ended.result["error"].startswith("--as-of: found 'auto', expected a date as YYYY-MM-DD")
    assert files_in(tmp_path) == []


def test_the_record_of_a_run_replaces_only_its_own_file(tmp_path: Path) -> None:
    output = tmp_path / "weeks" / "2024-01-08" / "made" / "rows.parquet"
    output.parent.mkdir(parents=True)
    output.write_text("published before")
    for n_rows in (1, 2):
        body = f"    return {{'n_rows': {n_rows}}}"
        assert run(body, "--as-of", "2024-01-08", "--data", str(tmp_path)).code == 0

    assert output.read_text() == "published before"
    assert files_in(tmp_path) == ["weeks/2024-01-08/made/rows.parquet", "weeks/2024-01-08/made/run.json"]
    record = Volume(tmp_path).read_json(run_record("made"), date(2024, 1, 8))
    assert record["result"]["n_rows"] == 2


def test_the_record_of_a_shard_stands_with_its_scores(tmp_path: Path) -> None:
    ended = run("    return {'shard': '1-of-3'}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert ended.code == 0, ended.stderr
    assert files_in(tmp_path) == ["weeks/2024-01-08/score_candidates/1-of-3/run.json"]
    assert Volume(tmp_path).exists(run_record("made", "1-of-3"), date(2024, 1, 8))


def test_the_root_of_the_volume_may_come_from_the_environment(tmp_path: Path) -> None:
    ended = run("    return {'root': str(data)}", "--as-of", "2024-01-08", SODAI_DATA=str(tmp_path))
    assert ended.code == 0, ended.stderr
    assert ended.result["root"] == str(tmp_path)
    assert files_in(tmp_path) == ["weeks/2024-01-08/made/run.json"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "Missing option '--as-of'"),
        (["--as-of", "2024-01-08", "--horizon-days", "0"], "Invalid value for '--horizon-days'"),
        (["--as-of", "2024-01-08", "--unknown"], "No such option: --unknown"),
    ],
)
def test_a_wrong_option_is_a_usage_error(tmp_path: Path, options: list[str], complaint: str) -> None:
    ended = run("    return {}", *options, SODAI_DATA=str(tmp_path))
    assert (ended.code, ended.stdout) == (2, "")
    assert complaint in ended.stderr
    assert files_in(tmp_path) == []


def test_help_tells_what_the_stage_does_and_its_options() -> None:
    ended = run("    return {}", "--help")
    assert ended.code == 0
    assert "Make what was asked for." in ended.stdout
    for option in ("--as-of", "--data", "--horizon-days", "--force", "SODAI_DATA"):
        assert option in ended.stdout
