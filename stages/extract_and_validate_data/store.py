"""The warehouse on the volume: one load at a time, and no file that only ledgers of long ago named."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from extract_and_validate_data.core_ledger import Ledger, ledger_of
from extract_and_validate_data.partitions import remove_unnamed
from sodai.data.catalog import EXTRACT, LEDGER, LINES, QUARANTINE, TRANSACTIONS
from sodai.errors import VolumeError
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

FOLDERS = {"lines": LINES, "transactions": TRANSACTIONS, "quarantine": QUARANTINE}


@contextmanager
def sole_use(volume: Volume) -> Iterator[Path]:
    """Hold the warehouse for one load, waiting for another load to end first.

    Yields:
        a scratch folder on the volume. It goes at the end of the block, however that comes, and so
        do partition files that neither the ledger names then nor the one of the beginning did: whoever
        reads meanwhile goes by that one.

    Raises:
        VolumeError: the volume is read-only or full.
    """
    warehouse = volume.path(LEDGER).parent
    scratch = volume.root / ".attempts" / f"{EXTRACT}-load"
    with volume.lock(warehouse.name, f"{warehouse}: another run is loading it"):
        warehouse.mkdir(parents=True, exist_ok=True)
        before = _in_force(volume)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            _tidy(volume, before)


def read_ledger(volume: Volume) -> Ledger:
    """The ledger of the volume; an empty one before the first load.

    Raises:
        VolumeError: it is unreadable or of another format.
    """
    if not volume.exists(LEDGER):
        return Ledger()
    return ledger_of(volume.read_json(LEDGER), str(volume.path(LEDGER)))


def readable_ledger(volume: Volume) -> Ledger | None:
    """The ledger of the volume; None where it is unreadable or of another format."""
    try:
        return read_ledger(volume)
    except (VolumeError, OSError, KeyError, TypeError, AttributeError):
        return None


def check_partitions(volume: Volume, ledger: Ledger) -> None:
    """See that every partition file that the ledger names is there.

    Raises:
        VolumeError: some are missing.
    """
    missing = [
        path
        for kind, named in ledger.partitions.items()
        for name in named.values()
        if not (path := volume.path(FOLDERS[kind]) / name).exists()
    ]
    if missing:
        raise VolumeError(
            f"{missing[0]}: missing but named by the ledger, as are {len(missing) - 1} more; "
            "run extract_and_validate_data --reload to build the warehouse anew from raw/"
        )


def _in_force(volume: Volume) -> Mapping[str, Mapping[str, str]] | None:
    """The partition files that the ledger names; None where nobody can tell."""
    ledger = readable_ledger(volume)
    return ledger.partitions if ledger else None


def _tidy(volume: Volume, before: Mapping[str, Mapping[str, str]] | None) -> None:
    in_force = _in_force(volume)
    if in_force is None:
        return
    for kind, dataset in FOLDERS.items():
        named = [*in_force[kind].values(), *(before or in_force)[kind].values()]
        n_removed = remove_unnamed(volume.path(dataset), named)
        if n_removed:
            log.info("removed %d files of %s that are no longer in force", n_removed, kind)
