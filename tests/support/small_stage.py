"""A stage named `example` with a table, a record and a page; imports little, for tests in new processes."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa

from sodai.data.catalog import Dataset
from sodai.data.contracts import Column, Contract
from sodai.volume.volume import Volume

AS_OF = date(2024, 1, 8)
FOLDER = "weeks/2024-01-08/example"
_PUBLISH_ROOT = "weeks/{as_of}/example"
_CONTRACT = Contract(
    (Column("order_id", "int64", "order"), Column("n_units", "float64", "quantity", minimum=0)),
    key=("order_id",),
)
ORDERS = Dataset(
    "example/orders.parquet",
    f"{_PUBLISH_ROOT}/orders.parquet",
    "example",
    "one order",
    _CONTRACT,
    _PUBLISH_ROOT,
)
NOTES = Dataset(
    "example/notes.json", f"{_PUBLISH_ROOT}/notes.json", "example", "one record", publish_root=_PUBLISH_ROOT
)
PAGE = Dataset("reports/example.html", "reports/{as_of}/example.html", "example", "one page")

_PROCESS = """
import json, os, sys, time
from pathlib import Path
from small_stage import *
from sodai.errors import VolumeError
volume = Volume(Path(sys.argv[1]))
"""


def orders(*n_units: float) -> pa.Table:
    """Return one order per number, with order ids from 0."""
    return pa.table({"order_id": range(len(n_units)), "n_units": pa.array(n_units, pa.float64())})


def publish(volume: Volume, version: int) -> None:
    """Commit an attempt whose outputs all hold the version."""
    with volume.attempt("example", AS_OF) as attempt:
        attempt.write(ORDERS, orders(float(version)))
        attempt.write_json(NOTES, {"version": version})
        attempt.write_text(PAGE, f"version {version}")


def files_in(folder: Path) -> list[str]:
    """Return the paths of the files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def leftovers(volume: Volume) -> list[str]:
    """Return the paths that unfinished attempts left on the volume."""
    return sorted(str(path.relative_to(volume.root)) for path in (volume.root / ".attempts").rglob("*"))


def start(code: str, root: Path, *wrapper: str) -> subprocess.Popen[str]:
    """Start a process with this module imported and `volume` on `root`; `wrapper` is a command around it."""
    here = Path(__file__).resolve().parent
    paths = os.pathsep.join([str(here), str(here.parents[1] / "shared")])
    return subprocess.Popen(
        [*wrapper, sys.executable, "-c", _PROCESS + code, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
