"""Limits and retries of each task, in one typed table."""

from dataclasses import dataclass
from datetime import timedelta

from sodai_dag.stages import FEATURES, RECORD, RETRAIN

_GROWTH = 1.5


@dataclass(frozen=True)
class Resources:
    """Hard limits of one task.

    Attributes:
        memory_gib: memory limit of the container of the first try.
        max_memory_gib: memory limit of the last one; a try after one that ran out of memory gets 1.5 times
            the memory, up to this.
        cpus: CPU limit of the container.
        processes: limit of its number of processes.
        retries: tries after the first; used after a lost container, an engine error, a timeout or too
            little memory, never after a failure that the stage itself reports.
        retry_delay: pause before a retry.
        timeout: longest time of one try.
        pool: Airflow's pool, which sets how many of its tasks run in parallel.
    """

    memory_gib: float = 4.0
    max_memory_gib: float = 8.0
    cpus: float = 2.0
    processes: int = 512
    retries: int = 2
    retry_delay: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(hours=1)
    pool: str = "default_pool"

    def __post_init__(self) -> None:
        """Refuse a maximum below the memory of the first try."""
        if self.max_memory_gib < self.memory_gib:
            raise ValueError(
                f"max_memory_gib: found {self.max_memory_gib:g}, expected {self.memory_gib:g} (memory_gib) "
                "or more"
            )

    def after_out_of_memory(self, memory_gib: float) -> float:
        """Return the memory of the next try, in GiB, after one that ran out of `memory_gib`."""
        return min(memory_gib * _GROWTH, self.max_memory_gib)


DEFAULT = Resources()
RESOURCES = {
    FEATURES: Resources(memory_gib=6.0, max_memory_gib=12.0, timeout=timedelta(hours=2)),
    RETRAIN: Resources(memory_gib=8.0, max_memory_gib=16.0, timeout=timedelta(hours=6)),
    RECORD: Resources(memory_gib=2.0, max_memory_gib=4.0),
}


def resources_of(task: str) -> Resources:
    """Return the limits of a task: a stage, or the scoring of a shard."""
    return RESOURCES.get(task, DEFAULT)
