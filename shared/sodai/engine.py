"""Ibis on DuckDB within the memory that a stage may use, spilling to the volume."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis

from sodai.errors import InputError, VolumeError
from sodai.resources import available_cpus

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def connect(memory_mib: int, spill: Path) -> "Backend":
    """A DuckDB in memory that holds at most `memory_mib` and spills what is more into `spill`."""
    return ibis.duckdb.connect(
        threads=available_cpus(),
        memory_limit=f"{memory_mib}MiB",
        temp_directory=str(spill),
        # Order costs memory; whatever needs an order asks for it.
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
    )


@contextmanager
def explained_engine(memory_mib: int, volume_root: Path) -> Iterator[None]:
    """Turn the two limits that a machine sets, memory and disk, into one-line errors.

    Raises:
        VolumeError: the volume is full.
        InputError: the memory limit is too small for the input.
    """
    try:
        yield
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        if re.search("No space left|Quota exceeded|max_temp_directory_size", str(error)):
            raise VolumeError(f"{volume_root}: is full ({message}); give it space and run again") from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise InputError(
                f"--memory-limit: {memory_mib} MiB are too few ({message}); give the stage more memory"
            ) from None
        raise
