"""Limits of a container, read from files like the kernel's, and garbage collection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sodai.runtime import limits
from sodai.runtime.limits import available_cpus, available_memory_mib, default_memory_limit_mib

MACHINE_CPUS = len(os.sched_getaffinity(0))
MACHINE_MIB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that replaces the kernel's."""
    monkeypatch.setattr(limits, "_CGROUP", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("cgroup")
def test_without_a_container_the_machine_is_the_limit() -> None:
    assert available_cpus() == MACHINE_CPUS
    assert available_memory_mib() == MACHINE_MIB


def test_without_limits_of_the_container_the_machine_is_the_limit(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("max 100000\n")
    (cgroup / "memory.max").write_text("max\n")
    assert available_cpus() == MACHINE_CPUS
    assert available_memory_mib() == MACHINE_MIB


@pytest.mark.parametrize(
    ("line", "n_cpus"),
    [
        ("100000 100000", 1),
        ("50000 100000", 1),  # half a CPU is still one thread
        ("10000000 100000", MACHINE_CPUS),
    ],
)
def test_the_quota_of_a_container_limits_the_cpus(cgroup: Path, line: str, n_cpus: int) -> None:
    (cgroup / "cpu.max").write_text(f"{line}\n")
    assert available_cpus() == n_cpus


def test_a_quota_of_two_and_a_half_cpus_is_two(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda _: set(range(16)))
    (cgroup / "cpu.max").write_text("250000 100000\n")
    assert available_cpus() == 2


def test_cpus_outside_the_affinity_of_the_process_do_not_count(cgroup: Path) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_the_memory_of_a_container_counts_in_mib(cgroup: Path) -> None:
    (cgroup / "memory.max").write_text(f"{200 * 2**20 + 5}\n")
    assert available_memory_mib() == 200
    assert default_memory_limit_mib() == 120


def test_a_limit_above_the_memory_of_the_machine_is_ignored(cgroup: Path) -> None:
    (cgroup / "memory.max").write_text(f"{2**60}\n")
    assert available_memory_mib() == MACHINE_MIB


@pytest.fixture
def older_cgroup(cgroup: Path) -> Path:
    """Return such a folder in the layout of version 1 of control groups."""
    for folder in ("memory", "cpu"):
        (cgroup / folder).mkdir()
    (cgroup / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    return cgroup


@pytest.mark.usefixtures("older_cgroup")
def test_without_limits_on_an_older_host_the_machine_is_the_limit() -> None:
    assert available_cpus() == MACHINE_CPUS
    assert available_memory_mib() == MACHINE_MIB


def test_limits_of_a_container_on_an_older_host_are_read(older_cgroup: Path) -> None:
    (older_cgroup / "memory" / "memory.limit_in_bytes").write_text(f"{1 << 30}\n")
    (older_cgroup / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    assert available_cpus() == 1
    assert available_memory_mib() == 1024


def output_of(code: str) -> tuple[str, str]:
    """Return stdout and stderr of a process that has ended."""
    shared = Path(limits.__file__).parents[2]
    setup = "from sodai.runtime.limits import tune_gc_for_imports\ntune_gc_for_imports()\n"
    process = subprocess.run(
        [sys.executable, "-c", setup + code],
        env={**os.environ, "PYTHONPATH": str(shared)},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout, process.stderr


def test_no_garbage_is_collected_at_exit() -> None:
    code = """
class Cycle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("collected")
Cycle()
print("end")
"""
    assert output_of(code) == ("end\n", "")


def test_duckdb_reports_no_leak_at_exit() -> None:
    assert output_of("import duckdb") == ("", "")
