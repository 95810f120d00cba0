"""What the stage server imports before anybody asks."""

import importlib
import linecache
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from sodai.stage_server import _needed

ROOT = Path(__file__).parents[3]
IMPORTS = """
import importlib, sys
from sodai.stage_server import _needed
assert "mlflow" not in sys.modules
for name in _needed(["load_existing_model"]):
    importlib.import_module(name)
print("mlflow" in sys.modules)
"""


def test_what_only_a_function_imports_is_there_before_it_is_called() -> None:
    paths = f"{ROOT / 'shared'}{os.pathsep}{ROOT / 'stages'}"
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n", done.stderr


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with two modules that cannot both be imported, and what one of them needs."""
    package = tmp_path / "made_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "broken.py").write_text("import nowhere_to_be_found\n")
    (package / "cli.py").write_text("def command():\n    import csv, json.decoder\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in ("made_package.cli", "made_package"):
        sys.modules.pop(name, None)


def imported(stages: Sequence[str]) -> list[str]:
    """The modules of stages, of which those that can be are imported as they come."""
    names = []
    for name in _needed(stages):
        names.append(name)
        with suppress(ImportError):
            importlib.import_module(name)
    return names


def test_a_module_that_cannot_be_imported_is_passed_over(package: Path) -> None:
    expected = ["made_package.broken", "made_package.cli", "csv", "json.decoder"]
    assert imported(["made_package"]) == expected


@pytest.mark.parametrize("text", ["def half(", "().missing", "raise SystemExit(1)"])
def test_a_stage_that_cannot_be_imported_leaves_the_others(package: Path, text: str) -> None:
    other = package.with_name("made_other")
    other.mkdir()
    (other / "__init__.py").write_text(text)
    expected = ["made_package.broken", "made_package.cli", "csv", "json.decoder"]
    assert imported(["made_other", "made_package"]) == expected


def test_a_module_that_is_half_edited_once_it_is_imported_leaves_the_other_stages(package: Path) -> None:
    importlib.import_module("made_package.cli")
    (package / "cli.py").write_text("def half(")
    linecache.checkcache()
    assert imported(["made_package", "load_existing_model"])[:3] == [
        "made_package.broken",
        "made_package.cli",
        "load_existing_model.checked",
    ]
