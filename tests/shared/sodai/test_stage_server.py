"""What the stage server imports before anybody asks."""

import os
import subprocess
import sys
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


def test_a_module_that_cannot_be_imported_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "made_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "broken.py").write_text("import nowhere_to_be_found\n")
    (package / "cli.py").write_text("def command():\n    import csv, json.decoder\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = []
    for name in _needed(["made_package"]):
        names.append(name)
        if name != "made_package.broken":
            __import__(name)
    assert names == ["made_package.broken", "made_package.cli", "csv", "json.decoder"]
    del sys.modules["made_package.cli"], sys.modules["made_package"]
