"""Training rows of closed periods that earlier runs left, under a key of all that they are made of."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
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
from sodai.content_key import code_digest
from sodai.datasets import CUSTOMERS, EXTRACT, PRODUCTS, TRAINING_PARTS
from sodai.hashes import sha256_of
from sodai.periods import DAYS_PER_WEEK, Period
from sodai.volume import Volume, explained, readable

log = logging.getLogger("sodai")

_PACKAGES = ("ibis-framework", "pyarrow")
_DIGITS = 20


class Parts:
    """The parts of one length of period on a volume: `cutoff=<date>/<key>-<hash of content>.parquet`.

    A part whose content is not what its name says is not used.
    """

    def __init__(self, volume: Volume, horizon_days: int) -> None:
        self._folder = volume.path(TRAINING_PARTS) / f"horizon={horizon_days}"
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
        private = part.with_name(f".{os.getpid()}-{part.name}")
        with explained(part.parent):
            shutil.copyfile(source, private)
            with private.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(private, part)
        self._used.add(part)

    def prune(self) -> None:
        """Remove what was neither copied nor kept."""
        for file in self._folder.glob("*/*"):
            if file not in self._used:
                file.unlink(missing_ok=True)
        for folder in self._folder.glob("*/"):
            # Another run may keep a part there.
            with suppress(OSError):
                folder.rmdir()

    def _of(self, cutoff: date) -> Path:
        return self._folder / f"cutoff={cutoff}"

    def _named(self, cutoff: date, key: str, file: Path) -> Path:
        return self._of(cutoff) / f"{key}-{sha256_of(file)[:_DIGITS]}.parquet"


def key_of(forecast: Forecast, partitions: Mapping[date, Path], shared: Mapping[str, Any]) -> str:
    """What stands for everything that the training rows of a period depend on.

    Args:
        forecast: of the period.
        partitions: transactions of the warehouse by Monday, their names made of their content.
        shared: what `made_of` returns.
    """
    period = forecast.period
    seen = [
        _content(monday, file, period) for monday, file in sorted(partitions.items()) if monday < period.end
    ]
    told = {
        **shared,
        "cutoff": period.as_of.isoformat(),
        "horizon_days": period.horizon_days,
        "calendar": forecast.calendar.hex(),
        "transactions": seen,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def made_of(volume: Volume, as_of: date, bounds: Bounds, halved: int, engine: str) -> dict[str, Any]:
    """What the training rows of all periods of a run depend on; `engine` is its name and version."""
    return {
        "engine": engine,
        "code": _code_digest(),
        "customers": sha256_of(volume.path(CUSTOMERS, as_of)),
        "products": sha256_of(volume.path(PRODUCTS, as_of)),
        "bounds": asdict(bounds),
        "halved": halved,
    }


def _code_digest() -> str:
    """Hash of the code that makes features, and of the versions that it runs on."""
    folders = [Path(*package.__path__) for package in (create_features, sodai)]
    return " ".join([code_digest(*folders), *(version(package) for package in _PACKAGES)])


def _content(monday: date, file: Path, period: Period) -> str:
    """The name of a partition; of the one in which the period ends, what lies before the end."""
    if monday + timedelta(days=DAYS_PER_WEEK) <= period.end:
        return file.name
    before_end = pc.field("purchase_date") < pa.scalar(period.end)
    with readable(file, f"{EXTRACT} --reload"):
        rows = pq.read_table(file, partitioning=None, filters=before_end)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    return hashlib.sha256(stream.getvalue()).hexdigest()
