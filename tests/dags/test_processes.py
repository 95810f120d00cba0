"""Forks of the stage server: that they are what new processes are, and what ends them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dags.conftest import Week, running, wait_until
from run_volume import ROOT
from sodai_processes import ForkedStage, stage_server, start
from sodai_settings import Settings, settings_from
from support.pipeline_runs import session_server
from support.week import files_of

STAGE = "create_features"
# A runner that is killed while its stage works.
RUNNER = """
import sys, time
from dataclasses import replace
from sodai_processes import stage_server, start
from sodai_settings import settings_from
settings = settings_from()
with stage_server(settings) as address:
    stage = start(replace(settings, stage_server=address), "create_features", sys.argv[1:])
    print(stage.pid, flush=True)
    time.sleep(300)
"""


def settings_of(week: Week) -> Settings:
    return replace(settings_from({"SODAI_RUNNER": "process"}), volume=str(week.root))


@pytest.fixture
def forking(week: Week) -> Settings:
    """The settings of a run on `week` whose stages the server of the session forks."""
    return replace(settings_of(week), stage_server=session_server())


def ended(process: "subprocess.Popen[str] | ForkedStage") -> tuple[int, str, str]:
    """The exit code, what it wrote to stdout and its log."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as stdout, process.stderr as stderr:
        log = stderr.read()
        return process.wait(), stdout.read(), log


def result(process: "subprocess.Popen[str] | ForkedStage") -> dict[str, object]:
    code, out, log = ended(process)
    assert code == 0, log
    return dict(json.loads(out))


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_fork_leaves_what_a_new_process_leaves(forking: Settings, week: Week) -> None:
    arguments = ["--as-of", week.as_of]
    forked = result(start(forking, STAGE, arguments))
    assert (forked["stage"], forked["status"], forked["as_of"]) == (STAGE, "done", week.as_of)

    # The content key is that of the fork too: of the same inputs, settings, code and packages.
    assert result(start(settings_of(week), STAGE, arguments)) == {**forked, "skipped": True}
    before = files_of(week.root / "weeks")
    again = result(start(settings_of(week), STAGE, [*arguments, "--force"]))
    assert {**again, "training_periods_reused": 0} == forked
    after = files_of(week.root / "weeks")
    assert {name for name, content in after.items() if content != before.get(name)} == {
        f"{week.as_of}/{STAGE}/run.json"
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--as-of", "2020-01-06"], 1, "create_features ERROR"),
        (["--as-of", "2020-01-06", "--horizon-days", "29"], 2, "--horizon-days"),
    ],
)
def test_a_fork_fails_as_a_new_process_does(
    forking: Settings, arguments: list[str], code: int, said: str
) -> None:
    found = ended(start(forking, STAGE, arguments))
    expected = ended(start(replace(forking, stage_server=""), STAGE, arguments))
    assert found[:2] == expected[:2]
    assert found[0] == code
    assert said in found[2]


def test_a_fork_has_the_environment_and_the_folder_of_its_runner(
    forking: Settings, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(replace(forking, engine="abacus"), STAGE, ["--as-of", week.as_of])
    assert "abacus" in ended(process)[2]

    working = start(replace(forking, volume=os.path.relpath(week.root)), STAGE, ["--as-of", week.as_of])
    assert result(working)["status"] == "done"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of all code that a test may change."""
    copy = tmp_path / "code"
    for folder in ("shared", "stages"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def wait_for_the_last_imports(server: int) -> None:
    wait_until(lambda: "lib_lightgbm" in Path(f"/proc/{server}/maps").read_text())


def test_stages_that_cannot_be_imported_tell_and_the_others_go_on(week: Week, code: Path) -> None:
    broken = {
        "create_features/__init__": ("def half(", "SyntaxError: "),
        "detect_data_drift/cli": ("().missing", "AttributeError: "),
        "evaluate_model/cli": ("raise SystemExit('enough')", "enough"),
    }
    for module, (text, _) in broken.items():
        (code / f"stages/{module}.py").write_text(text)
    settings = replace(settings_of(week), code=code)
    with stage_server(settings) as address:
        forking = replace(settings, stage_server=address)
        other = start(forking, "extract_and_validate_data", ["--as-of", week.as_of])
        server = parent_of(other.pid)
        assert result(other)["as_of"] == week.as_of
        wait_for_the_last_imports(server)

        for module, (_, said) in broken.items():
            found, _, log = ended(start(forking, Path(module).parent.name, ["--as-of", week.as_of]))
            assert (found, log.splitlines()[-1][: len(said)]) == (1, said)
        assert ended(start(forking, "retrain_model", ["--help"]))[0] == 0


def test_a_fork_that_is_a_new_program_before_the_server_looks_leaves_the_server(
    week: Week, code: Path
) -> None:
    late = "import os, time\nos.register_at_fork(after_in_parent=lambda: time.sleep(1))\n"
    (code / "shared/sitecustomize.py").write_text(late)
    settings = replace(settings_of(week), code=code)
    with stage_server(settings) as address:
        forking = replace(settings, stage_server=address)
        assert ended(start(forking, STAGE, ["--help"]))[0] == 0
        (code / "stages" / STAGE / "more.py").touch()
        assert ended(start(forking, STAGE, ["--help"]))[0] == 0
        assert ended(start(forking, STAGE, ["--help"]))[0] == 0


def test_code_that_changed_since_the_server_began_is_what_runs(week: Week, code: Path) -> None:
    """Its content key is made when it starts, of the code that is there then."""
    settings = replace(settings_of(week), code=code)
    with stage_server(settings) as address:
        forking = replace(settings, stage_server=address)
        before = start(forking, STAGE, ["--help"])
        server = parent_of(before.pid)
        assert "Told by another." not in ended(before)[1]
        # What a later stage needs is there, and so the stage's own code is.
        wait_for_the_last_imports(server)
        program = code / "stages" / STAGE / "cli.py"
        program.write_text(program.read_text() + '\ncreate_features.__doc__ = "Told by another."\n')
        assert "Told by another." in ended(start(forking, STAGE, ["--help"]))[1]


def test_a_fork_that_is_killed_says_by_what(forking: Settings, week: Week) -> None:
    process = start(forking, STAGE, ["--as-of", week.as_of])
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    assert ended(process)[0] == -signal.SIGTERM
    assert process.poll() == -signal.SIGTERM


def test_a_fork_ends_with_its_runner(week: Week) -> None:
    environment = {
        "PYTHONPATH": str(ROOT / "dags"),
        "SODAI_RUNNER": "process",
        "SODAI_VOLUME": str(week.root),
    }
    before = files_of(week.root / "weeks")
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "--as-of", week.as_of],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    with runner.stdout as told:
        forked = int(told.readline())
    wait_until(lambda: week.being_written)
    # Its code is the server's still, so that it is no new program.
    assert b"sodai.stage_server" in Path(f"/proc/{forked}/cmdline").read_bytes()
    runner.kill()
    runner.wait()
    wait_until(lambda: not running(forked))
    assert files_of(week.root / "weeks") == before


@pytest.fixture
def own_server(week: Week) -> Iterator[Settings]:
    """The settings of a run with a server of its own."""
    settings = settings_of(week)
    with stage_server(settings) as address:
        yield replace(settings, stage_server=address)


def test_a_fork_whose_connection_is_lost_ends_and_others_work_on(own_server: Settings, week: Week) -> None:
    other = start(own_server, "extract_and_validate_data", ["--as-of", week.as_of, "--force"])
    process = start(own_server, STAGE, ["--as-of", week.as_of])
    assert isinstance(process, ForkedStage)
    process._connection.close()
    wait_until(lambda: not running(process.pid))
    for stream in (process.stdout, process.stderr):
        stream.close()
    assert result(other)["status"] == "done"


def test_where_the_server_is_gone_its_stages_are_and_none_starts(own_server: Settings, week: Week) -> None:
    process = start(own_server, STAGE, ["--as-of", week.as_of])
    os.kill(parent_of(process.pid), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    wait_until(lambda: not running(process.pid))
    ended(process)
    with pytest.raises(OSError, match="refused"):
        start(own_server, STAGE, ["--as-of", week.as_of])
