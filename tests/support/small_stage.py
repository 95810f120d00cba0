"""A stage named `made` with a table, a record and a page; light to import in a process of its own."""

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
FOLDER = "weeks/2024-01-08/made"
_UNIT = "weeks/{as_of}/made"
_CONTRACT = Contract(
    (Column("order_id", "int64", "order"), Column("n_units", "float64", "quantity", minimum=0)),
    key=("order_id",),
)
ORDERS = Dataset("made/orders.parquet", f"{_UNIT}/orders.parquet", "made", "one order", _CONTRACT, _UNIT)
NOTES = Dataset("made/notes.json", f"{_UNIT}/notes.json", "made", "one record", publish_root=_UNIT)
PAGE = Dataset("reports/made.html", "reports/{as_of}/made.html", "made", "one page")

_PROCESS = """
import json, os, sys, time
from pathlib import Path
from small_stage import *
from sodai.errors import VolumeError
volume = Volume(Path(sys.argv[1]))
"""


def orders(*n_units: float) -> pa.Table:
    """One order a number, the orders numbered from 0."""
    return pa.table({"order_id": range(len(n_units)), "n_units": pa.array(n_units, pa.float64())})


def publish(volume: Volume, version: int) -> None:
    """A try that ends well; each of its outputs says the version."""
    with volume.attempt("made", AS_OF) as attempt:
        attempt.write(ORDERS, orders(float(version)))
        attempt.write_json(NOTES, {"version": version})
        attempt.write_text(PAGE, f"version {version}")


def files_in(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def leftovers(volume: Volume) -> list[str]:
    """What unfinished tries left on the volume."""
    return sorted(str(path.relative_to(volume.root)) for path in (volume.root / ".attempts").rglob("*"))


def start(code: str, root: Path, *wrapper: str) -> subprocess.Popen[str]:
    """Start a process that knows this module, and `volume` on `root`; `wrapper` is a command before it."""
    here = Path(__file__).resolve().parent
    paths = os.pathsep.join([str(here), str(here.parents[1] / "shared")])
    return subprocess.Popen(
        [*wrapper, sys.executable, "-c", _PROCESS + code, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
