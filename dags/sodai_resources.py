"""What each task may use, and how often a lost one is tried again: one typed table."""

from dataclasses import dataclass
from datetime import timedelta

_GROWTH = 1.5


@dataclass(frozen=True)
class Resources:
    """Hard limits of one task.

    `memory_gib` and `cpus` are limits of its container; a try that was killed for its memory is
    followed by one with half as much again, up to `max_memory_gib`. `retries` counts the tries after
    the first, which only a lost container, an engine error, `timeout` or memory gone can use. `pool` is
    Airflow's: how many of its tasks run at once is set there.
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
        """Refuse a maximum below what the first try gets."""
        if self.max_memory_gib < self.memory_gib:
            raise ValueError(
                f"max_memory_gib: found {self.max_memory_gib:g}, expected {self.memory_gib:g} (memory_gib) "
                "or more"
            )

    def after_out_of_memory(self, memory_gib: float) -> float:
        """What the next try gets, in GiB, after one that was killed with `memory_gib`."""
        return min(memory_gib * _GROWTH, self.max_memory_gib)


DEFAULT = Resources()
RESOURCES = {
    "create_features": Resources(memory_gib=6.0, max_memory_gib=12.0, timeout=timedelta(hours=2)),
    "retrain_model": Resources(memory_gib=8.0, max_memory_gib=16.0, timeout=timedelta(hours=6)),
    "log_pipeline_metrics": Resources(memory_gib=2.0, max_memory_gib=4.0),
}


def resources_of(task: str) -> Resources:
    """The limits of a task: a stage, or the scoring of its shards."""
    return RESOURCES.get(task, DEFAULT)
