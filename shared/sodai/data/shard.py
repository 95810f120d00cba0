"""One shard of a table that is split at customer boundaries."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Shard `number` (0 = first) of a table that is split into `count` shards at customer boundaries."""

    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """Return the name that paths and results use, `0-of-3` for example."""
        return f"{self.number}-of-{self.count}"
