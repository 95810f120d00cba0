"""What a container may use, read from files written like the kernel's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sodai.runtime import limits as resources
from sodai.runtime.limits import available_cpus, available_memory_mib, default_memory_limit_mib

MACHINE_CPUS = len(os.sched_getaffinity(0))
MACHINE_MIB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the kernel's, still without limits."""
    monkeypatch.setattr(resources, "_CGROUP", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("cgroup")
def test_without_a_container_it_is_the_machine() -> None:
    assert available_cpus() == MACHINE_CPUS
    assert available_memory_mib() == MACHINE_MIB


def test_a_container_without_limits_is_the_machine(cgroup: Path) -> None:
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
    monkeypatch.setattr(resources.os, "sched_getaffinity", lambda _: set(range(16)))
    (cgroup / "cpu.max").write_text("250000 100000\n")
    assert available_cpus() == 2


def test_cpus_that_the_process_may_not_run_on_do_not_count(cgroup: Path) -> None:
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


def test_a_limit_above_what_the_machine_has_is_the_machine(cgroup: Path) -> None:
    (cgroup / "memory.max").write_text(f"{2**60}\n")
    assert available_memory_mib() == MACHINE_MIB


@pytest.fixture
def older_cgroup(cgroup: Path) -> Path:
    """The same as version 1 of control groups lays it out."""
    for folder in ("memory", "cpu"):
        (cgroup / folder).mkdir()
    (cgroup / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    return cgroup


@pytest.mark.usefixtures("older_cgroup")
def test_a_container_without_limits_on_an_older_host_is_the_machine() -> None:
    assert available_cpus() == MACHINE_CPUS
    assert available_memory_mib() == MACHINE_MIB


def test_limits_of_a_container_on_an_older_host_hold(older_cgroup: Path) -> None:
    (older_cgroup / "memory" / "memory.limit_in_bytes").write_text(f"{1 << 30}\n")
    (older_cgroup / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    assert available_cpus() == 1
    assert available_memory_mib() == 1024


def ended(code: str) -> tuple[str, str]:
    """What a process writes to stdout and stderr until it has ended."""
    shared = Path(resources.__file__).parents[2]
    begin = "from sodai.runtime.limits import tune_gc_for_imports\ntune_gc_for_imports()\n"
    process = subprocess.run(
        [sys.executable, "-c", begin + code],
        env={**os.environ, "PYTHONPATH": str(shared)},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout, process.stderr


def test_a_process_that_imports_much_looks_for_no_cycles_at_its_end() -> None:
    code = """
class Cycle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("found")
Cycle()
print("end")
"""
    assert ended(code) == ("end\n", "")


def test_duckdb_finds_nothing_of_its_own_left_at_the_end() -> None:
    assert ended("import duckdb") == ("", "")
