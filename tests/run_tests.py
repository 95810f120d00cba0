"""Run the tests in two pytest processes, since one process leaves half of two cores idle.

The first process runs the tests that share something expensive: the engine, the browser, or the volume of
the fixture `two_weeks`, which takes three runs of the pipeline. The second runs all others. Both processes
get the arguments.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

SHARED = ("docker", "compose", "browser", "two_weeks")
CACHE = Path(".cache")


def main(arguments: Sequence[str]) -> int:
    """Run the tests and return the exit code: 0 if at least one test was selected and all passed.

    Args:
        arguments: `--without` with a comma-separated list of markers to leave out; the rest go to pytest.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--without", default="")
    own, options = parser.parse_known_args(arguments)
    excluded = "".join(f" and not {name}" for name in own.without.split(",") if name)
    log = CACHE / "shared_tests.log"
    CACHE.mkdir(exist_ok=True)
    with log.open("w") as output:
        shared = _start("shared", f"({' or '.join(SHARED)}){excluded}", options, stdout=output)
        others = _start("others", f"not ({' or '.join(SHARED)}){excluded}", options)
        try:
            codes = [others.wait(), shared.wait()]
        except KeyboardInterrupt:  # both processes got it too and are tearing down their fixtures
            codes = [others.wait(), shared.wait()]
    print(log.read_text(), end="", flush=True)
    nothing = pytest.ExitCode.NO_TESTS_COLLECTED
    return next((code for code in codes if code not in (pytest.ExitCode.OK, nothing)), min(codes))


def _start(
    name: str, markers: str, options: Sequence[str], stdout: IO[str] | None = None
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "pytest", "-m", markers, "-o", f"cache_dir={CACHE / 'pytest' / name}"]
    # OpenMP threads that spin while waiting take cores from the other process.
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    return subprocess.Popen([*command, *options], env=env, stdout=stdout, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
