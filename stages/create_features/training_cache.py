"""A cache of the training rows of closed periods, under a key of everything that they depend on."""

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
from create_features.core_candidates import Bounds
from create_features.core_demand import DemandForecast
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


class TrainingCache:
    """The cached rows for one length of period: `cutoff=<date>/<key>-<content hash>.parquet`.

    A file whose content does not match its name is not used.
    """

    def __init__(self, volume: Volume, horizon_days: int) -> None:
        self._folder = volume.path(TRAINING_CACHE) / f"horizon={horizon_days}"
        self._used: set[Path] = set()

    def restore(self, cutoff: date, key: str, target: Path) -> bool:
        """Copy the rows of a key to `target`; return whether they were cached."""
        for cached in sorted(self._cutoff_folder(cutoff).glob(f"{key}-*.parquet")):
            # A concurrent run may prune the file during the copy.
            with suppress(FileNotFoundError):
                shutil.copyfile(cached, target)
                if cached == self._cached_path(cutoff, key, target):
                    self._used.add(cached)
                    return True
                log.warning("%s is damaged and not used", cached)
        return False

    def store(self, cutoff: date, key: str, source: Path) -> None:
        """Copy the rows in the file `source` into the cache."""
        cached = self._cached_path(cutoff, key, source)
        cached.parent.mkdir(parents=True, exist_ok=True)
        with explain_write_errors(cached.parent), atomic_write(cached) as private:
            shutil.copyfile(source, private)
            with private.open("rb") as file:
                os.fsync(file.fileno())
        self._used.add(cached)

    def prune(self) -> None:
        """Remove the files that this run neither restored nor stored."""
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):
                # A private file of the last day may belong to a concurrent run.
                age_seconds = time.time() - file.stat().st_mtime
                in_progress = file.name.startswith(".") and age_seconds < _DAY_SECONDS
                if file not in self._used and not in_progress:
                    file.unlink()
        for folder in self._folder.glob("*/"):
            # A concurrent run may store a file in it.
            with suppress(OSError):
                folder.rmdir()

    def _cutoff_folder(self, cutoff: date) -> Path:
        return self._folder / f"cutoff={cutoff}"

    def _cached_path(self, cutoff: date, key: str, file: Path) -> Path:
        return self._cutoff_folder(cutoff) / f"{key}-{sha256_of(file)[:_DIGITS]}.parquet"


@dataclass(frozen=True)
class EntityTables:
    """The customers and products of a run, each in order of its key.

    Both have known_days, the age of the first purchase before `as_of`.
    """

    as_of: date
    customers: pa.Table
    products: pa.Table

    def hashes_before(self, cutoff: date) -> dict[str, str]:
        """Hash the customers and the products with a purchase before a cutoff: its period reads no others."""
        known = pc.field("known_days") > (self.as_of - cutoff).days
        tables = {"customers": self.customers, "products": self.products}
        return {name: _hash(table.filter(known).drop_columns("known_days")) for name, table in tables.items()}


def cache_key(
    forecast: DemandForecast,
    partitions: Mapping[date, Path],
    entities: EntityTables,
    run_fields: Mapping[str, Any],
) -> str:
    """Return a digest of everything that the training rows of a period depend on.

    Args:
        forecast: of the period.
        partitions: transactions of the warehouse by Monday; their names are content hashes.
        entities: of the run.
        run_fields: what `run_key_fields` returns.
    """
    period = forecast.period
    transactions = [
        _partition_digest(monday, file, period)
        for monday, file in sorted(partitions.items())
        if monday < period.end
    ]
    fields = {
        **run_fields,
        **entities.hashes_before(period.as_of),
        "cutoff": period.as_of.isoformat(),
        "horizon_days": period.horizon_days,
        "calendar": forecast.calendar.hex(),
        "transactions": transactions,
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def run_key_fields(bounds: Bounds, halvings: int, engine: str) -> dict[str, Any]:
    """Return the fields of `cache_key` that all periods of a run share; `engine` is its name and version."""
    return {"engine": engine, "code": _code_and_packages(), "bounds": asdict(bounds), "halvings": halvings}


def _code_and_packages() -> str:
    folders = [Path(*package.__path__) for package in (create_features, sodai)]
    return " ".join([code_digest(*folders), *(version(package) for package in _PACKAGES)])


def _partition_digest(monday: date, file: Path, period: Period) -> str:
    """Return a partition's name; if the period ends in its week, a digest of the rows before the end."""
    if monday + timedelta(days=DAYS_PER_WEEK) <= period.end:
        return file.name
    before_end = pc.field("purchase_date") < pa.scalar(period.end)
    with explain_read_errors(file, f"{EXTRACT} --reload"):
        rows = pq.read_table(file, partitioning=None, filters=before_end)
    return _hash(rows)


def _hash(rows: pa.Table) -> str:
    # As parquet, which writes nothing for a null; in memory its place has arbitrary bytes.
    stream = pa.BufferOutputStream()
    pq.write_table(rows, stream, compression="none", use_dictionary=False, write_statistics=False)
    return hashlib.sha256(stream.getvalue()).hexdigest()
