"""Two pytest processes side by side: what each runs, and how the whole ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from run_volume import ROOT

MARKERS = "[pytest]\nmarkers =\n    docker\n    compose\n    browser\n    two_weeks\n"
TESTS = """
import os
import pytest

def told(name):
    with open("told", "a") as file:
        file.write(f"{name} {os.getppid()} {os.getpid()}\\n")

@pytest.mark.two_weeks
def test_weeks(): told("weeks")

@pytest.mark.docker
@pytest.mark.two_weeks
def test_docker(): told("docker")

def test_quick(): told("quick")

def test_quick_too(): told("quick too")
"""


def run(folder: Path, tests: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "test_some.py").write_text(tests)
    command = [sys.executable, ROOT / "tests/side_by_side.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def ran(folder: Path) -> dict[str, str]:
    """Each test that ran, and the process that ran it."""
    lines = [line.rsplit(maxsplit=2) for line in (folder / "told").read_text().splitlines()]
    return {name: process for name, _, process in lines}


def test_what_needs_the_same_things_shares_one_process_and_all_others_another(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    assert done.returncode == 0, done.stdout
    found = ran(tmp_path)
    assert found["weeks"] == found["docker"] != found["quick"] == found["quick too"]
    assert done.stdout.count("2 passed, 2 deselected") == 2


def test_tests_with_a_marker_are_left_out_and_arguments_are_those_of_pytest(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS, "--without", "docker,browser", "-k", "weeks or docker").returncode == 0
    assert set(ran(tmp_path)) == {"weeks"}


@pytest.mark.parametrize(("name", "code"), [("weeks", 1), ("quick", 1), ("other", 0)])
def test_a_failure_on_either_side_fails_the_whole(tmp_path: Path, name: str, code: int) -> None:
    done = run(tmp_path, TESTS.replace(f'told("{name}")', "assert 0"))
    assert done.returncode == code
    assert ("AssertionError" in done.stdout) == bool(code)


def test_where_nothing_is_selected_on_either_side_that_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS, "--without", "", "-k", "no_such_test").returncode == 5
