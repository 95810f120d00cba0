"""Training rows of closed periods that earlier runs left, under a key of all that they are made of."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import create_features
import sodai
from create_features.core import Bounds
from create_features.core_volume import Forecast
from sodai.data.catalog import EXTRACT, TRAINING_CACHE
from sodai.data.periods import DAYS_PER_WEEK, Period
from sodai.stage.fingerprint import code_digest
from sodai.volume.atomic_files import atomic_write, explain_write_errors
from sodai.volume.file_hashes import sha256_of
from sodai.volume.volume import Volume, explain_read_errors

log = logging.getLogger("sodai")

_PACKAGES = ("ibis-framework", "pyarrow")
_DIGITS = 20
_DAY_SECONDS = 86_400


class Parts:
    """The parts of one length of period on a volume: `cutoff=<date>/<key>-<hash of content>.parquet`.

    A part whose content is not what its name says is not used.
    """

    def __init__(self, volume: Volume, horizon_days: int) -> None:
        self._folder = volume.path(TRAINING_CACHE) / f"horizon={horizon_days}"
        self._used: set[Path] = set()

    def copy(self, cutoff: date, key: str, target: Path) -> bool:
        """Put the part of that key at `target`; whether there is one."""
        for part in sorted(self._of(cutoff).glob(f"{key}-*.parquet")):
            # Another run may prune while this one copies.
            with suppress(FileNotFoundError):
                shutil.copyfile(part, target)
                if part == self._named(cutoff, key, target):
                    self._used.add(part)
                    return True
                log.warning("%s is damaged and not used", part)
        return False

    def keep(self, cutoff: date, key: str, source: Path) -> None:
        """Keep the part that was written at `source` for later runs."""
        part = self._named(cutoff, key, source)
        part.parent.mkdir(parents=True, exist_ok=True)
        with explain_write_errors(part.parent), atomic_write(part) as private:
            shutil.copyfile(source, private)
            with private.open("rb") as written:
                os.fsync(written.fileno())
        self._used.add(part)

    def prune(self) -> None:
        """Remove what was neither copied nor kept; what another run may be writing only after a day."""
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):
                is_private = file.name.startswith(".")
                if file not in self._used and not (is_private and _age_seconds(file) < _DAY_SECONDS):
                    file.unlink()
        for folder in self._folder.glob("*/"):
            # Another run may keep a part there.
            with suppress(OSError):
                folder.rmdir()

    def _of(self, cutoff: date) -> Path:
        return self._folder / f"cutoff={cutoff}"

    def _named(self, cutoff: date, key: str, file: Path) -> Path:
        return self._of(cutoff) / f"{key}-{sha256_of(file)[:_DIGITS]}.parquet"


@dataclass(frozen=True)
class Known:
    """The customers and products of a run, in order of their numbers, and since when they are known.

    `customers` and `products` have known_days, the age of the first purchase before `as_of`.
    """

    as_of: date
    customers: pa.Table
    products: pa.Table

    def before(self, cutoff: date) -> dict[str, str]:
        """What stands for those who bought, or were bought, before a cutoff: no period reads others."""
        there = pc.field("known_days") > (self.as_of - cutoff).days
        tables = {"customers": self.customers, "products": self.products}
        return {name: _hash(table.filter(there).drop_columns("known_days")) for name, table in tables.items()}


def key_of(
    forecast: Forecast, partitions: Mapping[date, Path], known: Known, shared: Mapping[str, Any]
) -> str:
    """What stands for everything that the training rows of a period depend on.

    Args:
        forecast: of the period.
        partitions: transactions of the warehouse by Monday, their names made of their content.
        known: of the run.
        shared: what `made_of` returns.
    """
    period = forecast.period
    seen = [
        _content(monday, file, period) for monday, file in sorted(partitions.items()) if monday < period.end
    ]
    told = {
        **shared,
        **known.before(period.as_of),
        "cutoff": period.as_of.isoformat(),
        "horizon_days": period.horizon_days,
        "calendar": forecast.calendar.hex(),
        "transactions": seen,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def made_of(bounds: Bounds, halved: int, engine: str) -> dict[str, Any]:
    """What the training rows of all periods of a run depend on; `engine` is its name and version."""
    return {"engine": engine, "code": _code_digest(), "bounds": asdict(bounds), "halved": halved}


def _code_digest() -> str:
    """Hash of the code that makes features, and of the versions that it runs on."""
    folders = [Path(*package.__path__) for package in (create_features, sodai)]
    return " ".join([code_digest(*folders), *(version(package) for package in _PACKAGES)])


def _content(monday: date, file: Path, period: Period) -> str:
    """The name of a partition; of the one in which the period ends, what lies before the end."""
    if monday + timedelta(days=DAYS_PER_WEEK) <= period.end:
        return file.name
    before_end = pc.field("purchase_date") < pa.scalar(period.end)
    with explain_read_errors(file, f"{EXTRACT} --reload"):
        rows = pq.read_table(file, partitioning=None, filters=before_end)
    return _hash(rows)


def _age_seconds(file: Path) -> float:
    return time.time() - file.stat().st_mtime


def _hash(rows: pa.Table) -> str:
    # As parquet, which holds nothing where a value is missing; in memory anything may lie there.
    stream = pa.BufferOutputStream()
    pq.write_table(rows, stream, compression="none", use_dictionary=False, write_statistics=False)
    return hashlib.sha256(stream.getvalue()).hexdigest()
