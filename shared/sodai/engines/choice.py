"""The engine that a stage is told to use, opened."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sodai.engines import Engine, EngineName


@dataclass(frozen=True)
class EngineChoice:
    """An engine and what opens it.

    `spark_remote` is the address of a Spark Connect server, `sc://host:15002`; `memory_mib` is what
    DuckDB may hold.
    """

    name: EngineName
    spark_remote: str | None
    memory_mib: int

    def __post_init__(self) -> None:
        """Raises InputError if Spark is wanted and its address is missing or is none."""
        if self.name is EngineName.SPARK:
            from sodai.engines.session import remote_of

            remote_of(self.spark_remote)

    def open(self, scratch: Path, volume_root: Path) -> AbstractContextManager[Engine]:
        """The engine, until the block ends; what limits it is told in one line.

        Args:
            scratch: a private folder on the volume for what it lays on disk.
            volume_root: named where the volume is full.

        Raises:
            InputError: too little memory, or no cluster answers.
            VolumeError: the volume is full.
        """
        if self.name is EngineName.SPARK:
            from sodai.engines.session import remote_of
            from sodai.engines.spark import open_spark

            return open_spark(remote_of(self.spark_remote), scratch, volume_root)
        from sodai.engines.duckdb import open_duckdb

        return open_duckdb(self.memory_mib, scratch, volume_root)
