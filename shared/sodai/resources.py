"""What this process may use: the container's own limits where there are any, the machine's otherwise."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
# What Python, Arrow and the operating system need beside DuckDB's own buffers.
_SHARE_FOR_TABLES = 0.6


def available_cpus() -> int:
    """How many CPUs this process may use, at least 1."""
    cpus = len(os.sched_getaffinity(0))
    quota_file = _CGROUP / "cpu.max"
    if quota_file.exists():
        quota, period = quota_file.read_text().split()
        if quota != "max":
            cpus = min(cpus, max(1, int(quota) // int(period)))
    return cpus


def available_memory_mib() -> int:
    """How much memory this process may use, in MiB."""
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit_file = _CGROUP / "memory.max"
    if limit_file.exists() and (limit := limit_file.read_text().strip()) != "max":
        n_bytes = min(n_bytes, int(limit))
    return n_bytes >> 20


def default_memory_limit_mib() -> int:
    """The memory limit of DuckDB, in MiB, unless a user gives one."""
    return int(available_memory_mib() * _SHARE_FOR_TABLES)
