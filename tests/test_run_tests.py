"""Tests in two pytest processes: which tests each runs, and the exit code of both together."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKERS = "[pytest]\nmarkers =\n    docker\n    compose\n    browser\n    two_weeks\n"
TESTS = """
import os
import pytest

def record(name):
    with open("recorded", "a") as file:
        file.write(f"{name} {os.getppid()} {os.getpid()}\\n")

@pytest.mark.two_weeks
def test_weeks(): record("weeks")

@pytest.mark.docker
@pytest.mark.two_weeks
def test_docker(): record("docker")

def test_quick(): record("quick")

def test_quick_too(): record("quick too")
"""


def run(folder: Path, tests: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "test_some.py").write_text(tests)
    command = [sys.executable, ROOT / "tests/run_tests.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def recorded_processes(folder: Path) -> dict[str, str]:
    """Return the process that ran each test."""
    lines = [line.rsplit(maxsplit=2) for line in (folder / "recorded").read_text().splitlines()]
    return {name: process for name, _, process in lines}


def test_tests_that_share_something_run_in_one_process_and_all_others_in_the_other(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    assert done.returncode == 0, done.stdout
    processes = recorded_processes(tmp_path)
    assert processes["weeks"] == processes["docker"] != processes["quick"] == processes["quick too"]
    assert done.stdout.count("2 passed, 2 deselected") == 2


def test_marked_tests_are_left_out_and_other_arguments_go_to_pytest(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS, "--without", "docker,browser", "-k", "weeks or docker").returncode == 0
    assert set(recorded_processes(tmp_path)) == {"weeks"}


@pytest.mark.parametrize(("name", "code"), [("weeks", 1), ("quick", 1), ("other", 0)])
def test_a_failure_in_either_process_fails_the_command(tmp_path: Path, name: str, code: int) -> None:
    done = run(tmp_path, TESTS.replace(f'record("{name}")', "assert 0"))
    assert done.returncode == code
    assert ("AssertionError" in done.stdout) == bool(code)


def test_selecting_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS, "--without", "", "-k", "no_such_test").returncode == 5
