"""What each stage may use, and how often a lost one is tried again: one typed table."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Resources:
    """Hard limits of one stage.

    `memory_gib` and `cpus` are limits of its container; `retries` counts the tries after the first,
    which only a lost container, an engine error or memory gone can use.
    """

    memory_gib: float = 4.0
    cpus: float = 2.0
    processes: int = 512
    retries: int = 2
    retry_delay: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(hours=1)


DEFAULT = Resources()
RESOURCES = {
    "create_features": Resources(memory_gib=6.0, timeout=timedelta(hours=2)),
    "retrain_model": Resources(memory_gib=8.0, timeout=timedelta(hours=6)),
    "log_pipeline_metrics": Resources(memory_gib=2.0),
}


def resources_of(task: str) -> Resources:
    """The limits of a task: a stage, or the scoring of its shards."""
    return RESOURCES.get(task, DEFAULT)
