"""Two pytest processes side by side, as one leaves half of two cores idle: shared things, and all others.

What there is one of belongs to the first: the engine, the browser, the volume of `two_weeks`, which takes
three runs of the pipeline. Arguments go to both.
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
    """Run the tests; 0 if all that were selected passed and any was.

    Args:
        arguments: `--without` and the markers of tests to leave out, with commas; others are pytest's.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--without", default="")
    own, options = parser.parse_known_args(arguments)
    wanted = "".join(f" and not {name}" for name in own.without.split(",") if name)
    log = CACHE / "shared_tests.log"
    CACHE.mkdir(exist_ok=True)
    with log.open("w") as output:
        shared = _start("shared", f"({' or '.join(SHARED)}){wanted}", options, stdout=output)
        others = _start("others", f"not ({' or '.join(SHARED)}){wanted}", options)
        try:
            codes = [others.wait(), shared.wait()]
        except KeyboardInterrupt:  # they got it too, and take down what they set up
            codes = [others.wait(), shared.wait()]
    print(log.read_text(), end="", flush=True)
    nothing = pytest.ExitCode.NO_TESTS_COLLECTED
    return next((code for code in codes if code not in (pytest.ExitCode.OK, nothing)), min(codes))


def _start(
    name: str, marked: str, options: Sequence[str], stdout: IO[str] | None = None
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "pytest", "-m", marked, "-o", f"cache_dir={CACHE / 'pytest' / name}"]
    # Threads of two processes that wait for each other by spinning take each other's cores.
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    return subprocess.Popen([*command, *options], env=env, stdout=stdout, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
