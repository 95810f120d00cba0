"""A stage runs when anything that its result depends on changed, and only then."""

import json
import os
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

# Stands in for the stage whose outputs QUALITY and QUALITY_PAGE are; what it makes are the sizes in raw/.
_STAGE = """
import os
from typing import Any
from sodai.stage.command import AUTO, DEFAULT_DATA, AsOf, DataRoot, run_app, stage_command
from sodai.data.catalog import EXTRACT, QUALITY, QUALITY_PAGE, RAW
from sodai.stage.inputs import Inputs
from sodai.data.periods import parse_date

@stage_command(EXTRACT, Inputs((RAW,)))
def made(
    as_of: AsOf, data: DataRoot = DEFAULT_DATA, k: int = 10, memory_limit: int = 100
) -> dict[str, Any]:
    from sodai.volume.volume import Volume

    volume = Volume(data)
    day = parse_date("2024-01-08" if as_of == AUTO else as_of)
    sizes = {file.name: file.stat().st_size for file in sorted(volume.path(RAW).iterdir())}
    with volume.attempt(EXTRACT, day) as attempt:
        attempt.write_json(QUALITY, {"sizes": sizes, "k": k})
        attempt.write_text(QUALITY_PAGE, str(sizes))
    return {"as_of": day, "k": k, "process": os.getpid()}

run_app(made, EXTRACT)
"""


@dataclass(frozen=True)
class Made:
    """A folder with a volume, a stage, a copy of the shared code and a place for packages."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "volume"

    def path(self, name: str) -> Path:
        return self.root / name.format(as_of=AS_OF)

    def run(self, *options: str, as_of: str = AS_OF) -> tuple[dict[str, Any], str]:
        """The result of the stage and its log."""
        paths = [self.folder / name for name in ("shared", "packages")]
        done = subprocess.run(
            [sys.executable, self.folder / "made/cli.py", "--as-of", as_of, "--data", self.root, *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(ROOT / "shared/sodai", folder / "shared/sodai", ignore=shutil.ignore_patterns("__*__"))
    shutil.copy(ROOT / "shared/sodai/__init__.py", folder / "shared/sodai")
    (folder / "packages/somewhere-1.0.dist-info").mkdir(parents=True)
    (folder / "made").mkdir()
    (folder / "made/cli.py").write_text(_STAGE)
    raw = folder / "volume/raw"
    raw.mkdir(parents=True)
    (raw / "transactions.parquet").write_text("some lines")
    result, _ = Made(folder).run()
    assert "skipped" not in result
    return folder, result


@pytest.fixture
def made(origin: tuple[Path, dict[str, Any]], tmp_path: Path) -> Made:
    """After one run; a copy that a test may change."""
    return Made(Path(shutil.copytree(origin[0], tmp_path / "made", symlinks=True)))


@pytest.fixture
def first(origin: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """The result of that run."""
    return origin[1]


def record_of(made: Made) -> bytes:
    return (made.root / run_record(EXTRACT).path_template.format(as_of=AS_OF)).read_bytes()


def test_nothing_changed_gives_the_earlier_result_and_leaves_the_record(
    made: Made, first: dict[str, Any]
) -> None:
    before = record_of(made)

    result, log = made.run()

    assert result == {**first, "skipped": True}
    (line,) = log.splitlines()
    assert "INFO skipped: inputs, settings, code and packages are those of the run that took" in line
    assert record_of(made) == before
    assert made.run()[0] == result


def test_a_skipped_stage_imports_no_table_library(made: Made) -> None:
    command = [sys.executable, "-X", "importtime", made.folder / "made/cli.py"]
    done = subprocess.run(
        [*command, "--as-of", AS_OF, "--data", made.root],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{made.folder / 'shared'}{os.pathsep}{made.folder / 'packages'}"},
    )
    assert json.loads(done.stdout)["skipped"]
    assert not [name for name in ("pyarrow", "numpy", "urllib.request") if f"| {name}\n" in done.stderr]


def change(name: str, text: str) -> Callable[[Made], None]:
    """Write into a file of the folder."""

    def write(made: Made) -> None:
        path = made.folder / name.format(as_of=AS_OF)
        path.write_text(text)

    return write


def append(name: str) -> Callable[[Made], None]:
    """Add a comment to a file of code."""

    def write(made: Made) -> None:
        with (made.folder / name).open("a") as file:
            file.write("\n# another line\n")

    return write


def renamed(old: str, new: str) -> Callable[[Made], None]:
    return lambda made: os.rename(made.folder / old, made.folder / new)


def removed(name: str) -> Callable[[Made], None]:
    return lambda made: made.path(name).unlink()


RAW_FILE = "volume/raw/transactions.parquet"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (change(RAW_FILE, "same lines"), "input raw/transactions.parquet changed"),
        (change("volume/raw/more.parquet", ""), "input raw/more.parquet changed"),
        (renamed(RAW_FILE, "volume/raw/a"), "input raw/a and 1 more changed"),
        (append("made/cli.py"), "its code changed"),
        (change("made/page.jinja", "{{ title }}"), "its code changed"),
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
def test_a_change_makes_it_run(
    made: Made, first: dict[str, Any], act: Callable[[Made], None], reason: str
) -> None:
    act(made)

    result, log = made.run()

    assert result == {**first, "process": result["process"]}
    assert result["process"] != first["process"]
    assert f"INFO runs again: {reason}\n" in log
    assert made.run()[0] == {**result, "skipped": True}


def test_another_setting_makes_it_run_and_the_old_one_again(made: Made) -> None:
    result, log = made.run("--k", "4")
    assert result["k"] == 4
    assert "skipped" not in result
    assert "INFO runs again: --k was 10, is 4\n" in log
    assert "skipped" not in made.run()[0]


def test_a_setting_that_says_only_how_makes_no_difference(made: Made) -> None:
    assert made.run("--memory-limit", "200")[0]["skipped"]


@pytest.mark.parametrize("name", [RAW_FILE, f"volume/{QUALITY.path_template}"])
def test_a_file_written_again_with_the_same_content_makes_no_difference(made: Made, name: str) -> None:
    path = made.folder / name.format(as_of=AS_OF)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert made.run()[0]["skipped"]


def test_a_file_on_its_way_into_raw_makes_no_difference(made: Made) -> None:
    (made.root / "raw/.next.parquet.part").write_text("half a file")
    assert made.run()[0]["skipped"]


def test_force_runs_it_all_the_same(made: Made, first: dict[str, Any]) -> None:
    result, log = made.run("--force")
    assert result["process"] != first["process"]
    assert "skipped" not in result
    assert log == ""
    assert made.run("--no-force")[0] == {**result, "skipped": True}


def test_another_period_has_a_result_of_its_own(made: Made) -> None:
    assert "skipped" not in made.run(as_of="2024-01-15")[0]
    assert made.run()[0]["skipped"]
    assert made.run(as_of="2024-01-15")[0]["skipped"]


def test_a_period_that_the_stage_finds_itself_is_found_again(made: Made) -> None:
    result, _ = made.run(as_of="auto")
    assert (result["as_of"], "skipped" in result) == (AS_OF, False)
    assert made.run(as_of="2024-01-01")[0]["as_of"] == "2024-01-01"
    assert made.run(as_of="auto")[0] == {**result, "skipped": True}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"result": {}}', '{"key": {}}', '{"key": 1}'])
def test_a_record_that_says_nothing_makes_it_run(made: Made, damage: str) -> None:
    (made.root / run_record(EXTRACT).path_template.format(as_of=AS_OF)).write_text(damage)
    assert "skipped" not in made.run()[0]
    assert made.run()[0]["skipped"]
