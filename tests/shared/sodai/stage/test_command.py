"""The command of a stage as a process: exit code, JSON line, log and run record."""

import json
import os
import re
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

_CLI = """
from sodai.stage.command import run_app, stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import DEFAULT_DATA, AsOf, DataRoot, HorizonDays

@stage_command("example", Inputs({inputs}){preload})
def example(as_of: AsOf, data: DataRoot = DEFAULT_DATA, horizon_days: HorizonDays = 7, k: int = 10) -> None:
    "Write what was asked for."
"""
_RUN = """
import logging
from datetime import date

from sodai.data.catalog import FORECASTS, PREDICTIONS, QUALITY
from sodai.errors import InputError

log = logging.getLogger("sodai")

def run(volume, period, *, k{more}):
{body}
"""
_MAIN = """
from example.cli import example
from sodai.stage.command import run_app

run_app(example, "example")
"""


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a process."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """Return the JSON result, the only line on stdout."""
        (line,) = self.stdout.splitlines()
        record: dict[str, Any] = json.loads(line)
        return record


def run(body: str, *options: str, inputs: str = "", preload: str = "", **environment: str) -> Ended:
    """Run a stage whose steps are the given body.

    Args:
        inputs: arguments of its Inputs.
        preload: module and function that the command starts in another process.
    """
    shared = Path(__file__).parents[4] / "shared"
    with TemporaryDirectory() as folder:
        package = Path(folder) / "example"
        package.mkdir()
        preloads = f', preload="{preload}"' if preload else ""
        more = f", {preload.partition(':')[2]}" if preload else ""
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(_MAIN)
        (package / "cli.py").write_text(_CLI.format(inputs=inputs, preload=preloads))
        (package / "run.py").write_text(_RUN.format(body=body, more=more))
        (package / "slow_import.py").write_text("import os\n\ndef process_of(_):\n    return os.getpid()\n")
        done = subprocess.run(
            [sys.executable, "-m", "example", *options],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(shared), folder]),
                "TERM": "dumb",
                **environment,
            },
        )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_stage_that_works_writes_one_json_line_and_a_run_record(tmp_path: Path) -> None:
    before = time.time()
    body = """
    log.info("half way")
    bytearray(64 << 20)
    return {"n_rows": 3, "horizon": period.horizon_days, "newest": date(2024, 1, 7)}
"""
    ended = run(body, "--as-of", "2024-01-08", "--data", str(tmp_path), "--horizon-days", "5")

    assert ended.code == 0, ended.stderr
    assert ended.result == {
        "stage": "example",
        "status": "done",
        "as_of": "2024-01-08",
        "n_rows": 3,
        "horizon": 5,
        "newest": "2024-01-07",
    }
    assert "example INFO half way" in ended.stderr
    assert files_in(tmp_path) == ["weeks/2024-01-08/example/run.json"]
    record = Volume(tmp_path).read_json(run_record("example"), date(2024, 1, 8))
    assert set(record) == {
        "stage",
        "started",
        "wall_seconds",
        "cpu_seconds",
        "peak_memory_mib",
        "result",
        "fingerprint",
        "outputs",
        "registry",
    }
    assert set(record["fingerprint"]) == {"settings", "inputs", "code", "packages"}
    assert record["fingerprint"]["settings"] == {"as_of": "2024-01-08", "horizon_days": "5", "k": "10"}
    assert (record["stage"], record["result"]) == ("example", ended.result)
    assert before <= record["started"] <= time.time()
    assert record["wall_seconds"] <= time.time() - before
    assert record["peak_memory_mib"] > 64
    assert record["cpu_seconds"] > 0


def test_the_peak_memory_is_that_of_the_stage_and_not_of_its_parent_process(tmp_path: Path) -> None:
    large = bytearray(os.urandom(1)) * (512 << 20)
    ended = run("    return {}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert ended.code == 0, ended.stderr
    record = Volume(tmp_path).read_json(run_record("example"), date(2024, 1, 8))
    assert record["peak_memory_mib"] < len(large) >> 20


def test_an_expected_failure_is_one_json_line_and_one_log_line_and_writes_nothing(tmp_path: Path) -> None:
    body = "    raise InputError('raw/x.parquet: found nothing,\\n  expected lines; add some')"
    ended = run(body, "--as-of", "2024-01-08", "--data", str(tmp_path))

    assert ended.code == 1
    message = "raw/x.parquet: found nothing, expected lines; add some"
    assert ended.result == {"stage": "example", "status": "failed", "error": message}
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"example ERROR {message}")
    assert files_in(tmp_path) == []


def test_any_other_failure_is_a_traceback_without_a_result(tmp_path: Path) -> None:
    ended = run("    return {'ratio': 1 / 0}", "--as-of", "2024-01-08", "--data", str(tmp_path))

    assert ended.code == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("Traceback (most recent call last):")
    assert ended.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert files_in(tmp_path) == []


def test_a_figure_without_json_form_is_a_bug_and_writes_nothing(tmp_path: Path) -> None:
    ended = run("    return {'share': float('nan')}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert (ended.code, ended.stdout) == (1, "")
    assert "ValueError" in ended.stderr
    assert files_in(tmp_path) == []


def test_the_period_that_a_stage_determines_wins_over_auto(tmp_path: Path) -> None:
    ended = run("    return {'as_of': '2024-02-05'}", "--as-of", "auto", "--data", str(tmp_path))

    assert ended.code == 0, ended.stderr
    assert ended.result == {"stage": "example", "status": "done", "as_of": "2024-02-05"}
    assert files_in(tmp_path) == ["weeks/2024-02-05/example/run.json"]


def test_auto_that_a_stage_does_not_determine_is_an_expected_failure(tmp_path: Path) -> None:
    ended = run("    return {}", "--as-of", "auto", "--data", str(tmp_path))
    assert ended.code == 1
    assert ended.result["error"].startswith("--as-of: found 'auto', expected a date as YYYY-MM-DD")
    assert files_in(tmp_path) == []


def test_the_record_of_a_run_replaces_only_its_own_file(tmp_path: Path) -> None:
    output = tmp_path / "weeks" / "2024-01-08" / "example" / "rows.parquet"
    output.parent.mkdir(parents=True)
    output.write_text("published before")
    for n_rows in (1, 2):
        body = f"    return {{'n_rows': {n_rows}}}"
        assert run(body, "--as-of", "2024-01-08", "--data", str(tmp_path)).code == 0

    assert output.read_text() == "published before"
    assert files_in(tmp_path) == [
        "weeks/2024-01-08/example/rows.parquet",
        "weeks/2024-01-08/example/run.json",
    ]
    record = Volume(tmp_path).read_json(run_record("example"), date(2024, 1, 8))
    assert record["result"]["n_rows"] == 2


def test_the_run_record_of_a_shard_is_next_to_its_scores(tmp_path: Path) -> None:
    ended = run("    return {'shard': '1-of-3'}", "--as-of", "2024-01-08", "--data", str(tmp_path))
    assert ended.code == 0, ended.stderr
    assert files_in(tmp_path) == ["weeks/2024-01-08/score_candidates/1-of-3/run.json"]
    assert Volume(tmp_path).exists(run_record("example", "1-of-3"), date(2024, 1, 8))


def test_the_root_of_the_volume_may_come_from_the_environment(tmp_path: Path) -> None:
    ended = run("    return {'root': str(volume.root)}", "--as-of", "2024-01-08", SODAI_DATA=str(tmp_path))
    assert ended.code == 0, ended.stderr
    assert ended.result["root"] == str(tmp_path)
    assert files_in(tmp_path) == ["weeks/2024-01-08/example/run.json"]


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


def test_help_shows_what_the_stage_does_and_its_options() -> None:
    ended = run("    return {}", "--help")
    assert ended.code == 0
    assert "Write what was asked for." in ended.stdout
    for option in ("--as-of", "--data", "--horizon-days", "--force", "SODAI_DATA"):
        assert option in ended.stdout


@pytest.mark.parametrize(
    ("inputs", "read", "is_declared"),
    [
        ("(QUALITY,)", "QUALITY, period.as_of", True),
        ("previous=(QUALITY,)", "QUALITY, period.back(1).as_of", True),
        ("earlier=(QUALITY,)", "QUALITY, period.back(3).as_of", True),
        ("(QUALITY,)", "FORECASTS, period.as_of", False),
        ("(QUALITY,)", "QUALITY, period.back(1).as_of", False),
        ("previous=(QUALITY,)", "QUALITY, period.as_of", False),
        ("previous=(QUALITY,)", "QUALITY, period.back(2).as_of", False),
        ("earlier=(QUALITY,)", "QUALITY, period.back(-1).as_of", False),
    ],
)
def test_a_read_that_is_not_declared_is_refused_before_it_happens(
    tmp_path: Path, inputs: str, read: str, is_declared: bool
) -> None:
    body = f"    return {{'exists': volume.exists({read})}}"
    declared = inputs.replace("QUALITY", "__import__('sodai.data.catalog').data.catalog.QUALITY")
    ended = run(body, "--as-of", "2024-01-08", "--data", str(tmp_path), inputs=declared)
    if is_declared:
        assert ended.result["exists"] is False
    else:
        assert (ended.code, ended.stdout) == (1, "")
        assert re.search(
            r"UndeclaredInputError: \S+ of \S+ is not declared; add it to Inputs in the stage's cli.py$",
            ended.stderr.strip(),
        )
        assert files_in(tmp_path) == []


def test_a_preloaded_function_reaches_the_steps_and_runs_in_another_process(tmp_path: Path) -> None:
    body = "    import os\n    return {'same': process_of(0) == os.getpid(), 'k': k}"
    options = ("--as-of", "2024-01-08", "--data", str(tmp_path), "--k", "3")
    ended = run(body, *options, preload="example.slow_import:process_of")
    assert ended.code == 0, ended.stderr
    assert (ended.result["same"], ended.result["k"]) == (False, 3)
