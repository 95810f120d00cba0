"""`--help` of a stage is fast: heavy packages are imported only where they are used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sodai.data.catalog import STAGES

ROOT = Path(__file__).parents[2]
HEAVY = {
    "alembic", "duckdb", "evidently", "filelock", "ibis", "lightgbm", "matplotlib", "mlflow", "numpy",
    "obstore", "optuna", "pandas", "pyarrow", "requests", "scipy", "shap", "sklearn", "skops", "sqlalchemy",
}  # fmt: skip


def imported(stage: str, *options: str) -> set[str]:
    """Return the packages that the process of a stage imports."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("shared", "stages"))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", stage, *options],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("stage", STAGES)
def test_help_imports_nothing_heavy(stage: str) -> None:
    packages = imported(stage, "--help")
    assert {"typer", "sodai", stage} <= packages
    assert packages & HEAVY == set()
