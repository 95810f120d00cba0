"""A stage runs when anything that its result depends on changed, and only then."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sodai.data.catalog import EXTRACT, QUALITY, QUALITY_PAGE, run_record

ROOT = Path(__file__).parents[4]
AS_OF = "2024-01-08"

# Has the name of the stage whose outputs QUALITY and QUALITY_PAGE are; it writes the sizes in raw/.
_CLI = """
from sodai.data.catalog import EXTRACT, RAW
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import DEFAULT_DATA, AsOf, DataRoot

@stage_command(EXTRACT, Inputs((RAW,)))
def example(as_of: AsOf, data: DataRoot = DEFAULT_DATA, k: int = 10, memory_limit: int = 100) -> None:
    "Write the sizes of the raw files."
"""
_RUN = """
import os
from datetime import date
from sodai.data.catalog import EXTRACT, QUALITY, QUALITY_PAGE, RAW

def run(volume, period, *, k, memory_limit):
    day = period.as_of if period else date(2024, 1, 8)
    sizes = {file.name: file.stat().st_size for file in sorted(volume.path(RAW).iterdir())}
    with volume.attempt(EXTRACT, day) as attempt:
        attempt.write_json(QUALITY, {"sizes": sizes, "k": k})
        attempt.write_text(QUALITY_PAGE, str(sizes))
    return {"as_of": day, "k": k, "process": os.getpid()}
"""
_MAIN = """
from example.cli import example
from sodai.data.catalog import EXTRACT
from sodai.stage.command import run_app

run_app(example, EXTRACT)
"""


@dataclass(frozen=True)
class Example:
    """A folder with a volume, a stage, a copy of the shared code and a place for packages."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "volume"

    def path(self, name: str) -> Path:
        return self.root / name.format(as_of=AS_OF)

    def run(self, *options: str, as_of: str = AS_OF) -> tuple[dict[str, Any], str]:
        """Run the stage; return its result and its log."""
        paths = [self.folder / name for name in ("shared", "packages", "")]
        done = subprocess.run(
            [sys.executable, "-m", "example", "--as-of", as_of, "--data", self.root, *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(
        ROOT / "shared/sodai", folder / "shared/sodai", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "packages/somewhere-1.0.dist-info").mkdir(parents=True)
    (folder / "example").mkdir()
    for name, code in {"__init__": "", "__main__": _MAIN, "cli": _CLI, "run": _RUN}.items():
        (folder / f"example/{name}.py").write_text(code)
    raw = folder / "volume/raw"
    raw.mkdir(parents=True)
    (raw / "transactions.parquet").write_text("some lines")
    result, _ = Example(folder).run()
    assert "skipped" not in result
    return folder, result


@pytest.fixture
def example(origin: tuple[Path, dict[str, Any]], tmp_path: Path) -> Example:
    """Return a copy of the folder after one run, which a test may change."""
    return Example(Path(shutil.copytree(origin[0], tmp_path / "copy", symlinks=True)))


@pytest.fixture
def first(origin: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Return the result of that run."""
    return origin[1]


def record_of(example: Example) -> bytes:
    return (example.root / run_record(EXTRACT).path_template.format(as_of=AS_OF)).read_bytes()


def test_without_a_change_the_earlier_result_is_returned_and_the_record_kept(
    example: Example, first: dict[str, Any]
) -> None:
    before = record_of(example)

    result, log = example.run()

    assert result == {**first, "skipped": True}
    (line,) = log.splitlines()
    assert re.search(r"INFO up to date, skipping \(last run [\d.]+ s\); use --force to rerun$", line)
    assert record_of(example) == before
    assert example.run()[0] == result


def test_a_skipped_stage_imports_no_table_library(example: Example) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "example"]
    done = subprocess.run(
        [*command, "--as-of", AS_OF, "--data", example.root],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(example.folder / name) for name in ("shared", "packages", "")),
        },
    )
    assert json.loads(done.stdout)["skipped"]
    assert not [name for name in ("pyarrow", "numpy", "urllib.request") if f"| {name}\n" in done.stderr]


def change(name: str, text: str) -> Callable[[Example], None]:
    """Return an action that writes into a file of the folder."""

    def write(example: Example) -> None:
        path = example.folder / name.format(as_of=AS_OF)
        path.write_text(text)

    return write


def append(name: str) -> Callable[[Example], None]:
    """Return an action that adds a comment to a file of code."""

    def write(example: Example) -> None:
        with (example.folder / name).open("a") as file:
            file.write("\n# another line\n")

    return write


def renamed(old: str, new: str) -> Callable[[Example], None]:
    return lambda example: os.rename(example.folder / old, example.folder / new)


def removed(name: str) -> Callable[[Example], None]:
    return lambda example: example.path(name).unlink()


RAW_FILE = "volume/raw/transactions.parquet"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (change(RAW_FILE, "same lines"), "input raw/transactions.parquet changed"),
        (change("volume/raw/more.parquet", ""), "input raw/more.parquet changed"),
        (renamed(RAW_FILE, "volume/raw/a"), "input raw/a and 1 more changed"),
        (append("example/cli.py"), "its code changed"),
        (change("example/page.jinja", "{{ title }}"), "its code changed"),
        (append("shared/sodai/evaluation/drift_sample.py"), "its code changed"),
        (
            renamed("packages/somewhere-1.0.dist-info", "packages/somewhere-1.1.dist-info"),
            "the packages or the Python that it runs on changed",
        ),
        (change(f"volume/{QUALITY.path_template}", "{}"), f"output weeks/{AS_OF}/{QUALITY.name} changed"),
        (removed(QUALITY.path_template), f"output weeks/{AS_OF}/{QUALITY.name} changed"),
        (removed(QUALITY_PAGE.path_template), f"output reports/{AS_OF}/quality.html changed"),
    ],
)
def test_a_change_reruns_the_stage(
    example: Example, first: dict[str, Any], act: Callable[[Example], None], reason: str
) -> None:
    act(example)

    result, log = example.run()

    assert result == {**first, "process": result["process"]}
    assert result["process"] != first["process"]
    assert f"INFO rerunning: {reason}\n" in log
    assert example.run()[0] == {**result, "skipped": True}


def test_another_setting_reruns_the_stage_and_the_old_one_again(example: Example) -> None:
    result, log = example.run("--k", "4")
    assert result["k"] == 4
    assert "skipped" not in result
    assert "INFO rerunning: --k was 10, is 4\n" in log
    assert "skipped" not in example.run()[0]


def test_a_setting_without_influence_on_the_result_is_ignored(example: Example) -> None:
    assert example.run("--memory-limit", "200")[0]["skipped"]


@pytest.mark.parametrize("name", [RAW_FILE, f"volume/{QUALITY.path_template}"])
def test_a_file_rewritten_with_the_same_content_is_unchanged(example: Example, name: str) -> None:
    path = example.folder / name.format(as_of=AS_OF)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert example.run()[0]["skipped"]


def test_documentation_next_to_the_code_is_ignored(example: Example) -> None:
    (example.folder / "shared/sodai/README.md").write_text("# More words\n")
    assert example.run()[0]["skipped"]


def test_a_file_still_being_copied_into_raw_is_ignored(example: Example) -> None:
    (example.root / "raw/.next.parquet.part").write_text("half a file")
    assert example.run()[0]["skipped"]


def test_force_reruns_the_stage(example: Example, first: dict[str, Any]) -> None:
    result, log = example.run("--force")
    assert result["process"] != first["process"]
    assert "skipped" not in result
    assert log == ""
    assert example.run("--no-force")[0] == {**result, "skipped": True}


def test_another_period_has_a_result_of_its_own(example: Example) -> None:
    assert "skipped" not in example.run(as_of="2024-01-15")[0]
    assert example.run()[0]["skipped"]
    assert example.run(as_of="2024-01-15")[0]["skipped"]


def test_a_period_that_the_stage_determines_is_skipped_the_second_time(example: Example) -> None:
    result, _ = example.run(as_of="auto")
    assert (result["as_of"], "skipped" in result) == (AS_OF, False)
    assert example.run(as_of="2024-01-01")[0]["as_of"] == "2024-01-01"
    assert example.run(as_of="auto")[0] == {**result, "skipped": True}


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"result": {}}', '{"fingerprint": {}}', '{"fingerprint": 1}']
)
def test_a_damaged_run_record_reruns_the_stage(example: Example, damage: str) -> None:
    (example.root / run_record(EXTRACT).path_template.format(as_of=AS_OF)).write_text(damage)
    assert "skipped" not in example.run()[0]
    assert example.run()[0]["skipped"]
