"""The warehouse on the volume: one load at a time, and removal of partition files that are out of use."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extract_and_validate_data.core_ledger import Ledger, parse_ledger
from extract_and_validate_data.outputs import remove_partitions_except
from sodai.data.catalog import EXTRACT, LEDGER, LINES, QUARANTINE, TRANSACTIONS
from sodai.errors import VolumeError
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

FOLDERS = {"lines": LINES, "transactions": TRANSACTIONS, "quarantine": QUARANTINE}


@contextmanager
def lock_warehouse(volume: Volume) -> Iterator[Path]:
    """Hold the warehouse for one load, after waiting for the end of another.

    Yields:
        a scratch folder on the volume, which is removed at the end of the block, also after an error.

    Raises:
        VolumeError: the volume is read-only or full.
    """
    warehouse = volume.path(LEDGER).parent
    scratch = volume.root / ".attempts" / f"{EXTRACT}-load"
    with volume.lock(warehouse.name, f"{warehouse}: another run is loading it"):
        warehouse.mkdir(parents=True, exist_ok=True)
        before = read_ledger_if_readable(volume)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            _remove_unused_partitions(volume, before)


def read_ledger(volume: Volume) -> Ledger:
    """Return the ledger of the volume; an empty one before the first load.

    Raises:
        VolumeError: it is unreadable or of another format.
    """
    if not volume.exists(LEDGER):
        return Ledger()
    return parse_ledger(volume.read_json(LEDGER), str(volume.path(LEDGER)))


def read_ledger_if_readable(volume: Volume) -> Ledger | None:
    """Return the ledger of the volume; None if it is unreadable or of another format."""
    try:
        return read_ledger(volume)
    except (VolumeError, OSError, KeyError, TypeError, AttributeError):
        return None


def check_partitions(volume: Volume, ledger: Ledger) -> None:
    """Check that every partition file of the ledger exists.

    Raises:
        VolumeError: some are missing.
    """
    missing = [
        path
        for kind, names in ledger.partitions.items()
        for name in names.values()
        if not (path := volume.path(FOLDERS[kind]) / name).exists()
    ]
    if missing:
        raise VolumeError(
            f"{missing[0]}: missing but named by the ledger, as are {len(missing) - 1} more; "
            "run extract_and_validate_data --reload to rebuild the warehouse from raw/"
        )


def _remove_unused_partitions(volume: Volume, before: Ledger | None) -> None:
    current = read_ledger_if_readable(volume)
    if current is None:
        return
    for kind, dataset in FOLDERS.items():
        # Those of the ledger before the load stay: concurrent readers may still use it.
        ledgers = (current, before or current)
        names = [name for ledger in ledgers for name in ledger.partitions[kind].values()]
        n_removed = remove_partitions_except(volume.path(dataset), names)
        if n_removed:
            log.info("removed %d unused files of %s", n_removed, kind)
