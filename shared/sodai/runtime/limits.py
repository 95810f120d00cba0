"""What this process may use: the container's own limits where there are any, the machine's otherwise."""

import atexit
import gc
import os
import sys
from pathlib import Path

# The limits of a container as version 2 of the kernel's control groups tells them, or version 1.
_CGROUP = Path("/sys/fs/cgroup")
_MEMORY = ("memory.max", "memory/memory.limit_in_bytes")
_CPU = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
_NO_LIMIT = ("max", "-1")
# What Python, Arrow and the operating system need beside DuckDB's own buffers.
_SHARE_FOR_TABLES = 0.6
# New objects between two searches for cycles: the 700 of Python cost up to a fifth of the time of imports,
# which make objects that stay.
_OBJECTS_BETWEEN_SEARCHES = 50_000


def available_cpus() -> int:
    """How many CPUs this process may use, at least 1."""
    cpus = len(os.sched_getaffinity(0))
    for names in _CPU:
        words = [word for name in names for word in _words(name)]
        if len(words) == 2 and words[0] not in _NO_LIMIT:
            cpus = min(cpus, max(1, int(words[0]) // int(words[1])))
    return cpus


def available_memory_mib() -> int:
    """How much memory this process may use, in MiB."""
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [word for name in _MEMORY for word in _words(name) if word not in _NO_LIMIT]
    return min([n_bytes, *map(int, limits)]) >> 20


def default_memory_limit_mib() -> int:
    """The memory limit of DuckDB, in MiB, unless a user gives one."""
    return int(available_memory_mib() * _SHARE_FOR_TABLES)


def tune_gc_for_imports() -> None:
    """Have this process, before it imports large libraries, look for cycles of objects less often.

    And not at its end, when all that it holds goes anyway: a second after MLflow and Evidently.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)
    atexit.register(_end_fast)


def _end_fast() -> None:
    # DuckDB's binding reports whatever is left of it as a leak.
    if "duckdb" not in sys.modules:
        gc.freeze()


def _words(name: str) -> list[str]:
    file = _CGROUP / name
    return file.read_text().split() if file.exists() else []
