"""CPU and memory limits of this process: the container's own, or else the machine's."""

import atexit
import gc
import os
import sys
from pathlib import Path

# Files with the limits of a container in version 2 of the kernel's control groups, and in version 1.
_CGROUP = Path("/sys/fs/cgroup")
_MEMORY = ("memory.max", "memory/memory.limit_in_bytes")
_CPU = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
_NO_LIMIT = ("max", "-1")
# The rest is for Python, Arrow and the operating system, outside DuckDB's own buffers.
_SHARE_FOR_TABLES = 0.6
# New objects between two garbage collections. Python's default of 700 costs up to a fifth of the time of
# imports, whose objects are never garbage.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def available_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1."""
    cpus = len(os.sched_getaffinity(0))
    for names in _CPU:
        words = [word for name in names for word in _words(name)]
        if len(words) == 2 and words[0] not in _NO_LIMIT:
            cpus = min(cpus, max(1, int(words[0]) // int(words[1])))
    return cpus


def available_memory_mib() -> int:
    """Return the memory that this process may use, in MiB."""
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [word for name in _MEMORY for word in _words(name) if word not in _NO_LIMIT]
    return min([n_bytes, *map(int, limits)]) >> 20


def default_memory_limit_mib() -> int:
    """Return the memory limit of DuckDB in MiB for runs without --memory-limit."""
    return int(available_memory_mib() * _SHARE_FOR_TABLES)


def tune_gc_for_imports() -> None:
    """Collect garbage less often, and not at exit; call it before large libraries are imported."""
    # The collection at exit takes a second after MLflow and Evidently, and all memory is freed anyway.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(_end_fast)


def _end_fast() -> None:
    # DuckDB's binding reports its objects that were not collected as leaks.
    if "duckdb" not in sys.modules:
        gc.freeze()


def _words(name: str) -> list[str]:
    file = _CGROUP / name
    return file.read_text().split() if file.exists() else []
