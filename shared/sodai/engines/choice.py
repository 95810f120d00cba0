"""The engine that a stage is told to use, opened."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sodai.engines import Engine, EngineName
from sodai.errors import InputError


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
        if self.name is EngineName.SPARK and not (self.spark_remote or "").startswith("sc://"):
            found = self.spark_remote or "nothing, nor SODAI_SPARK"
            raise InputError(
                f"--spark-remote: found {found}, expected the address of a Spark Connect server such as "
                "sc://spark-connect:15002; give it or leave --engine out"
            )

    def opened(self, scratch: Path, volume_root: Path) -> AbstractContextManager[Engine]:
        """The engine, until the block ends; what limits it is told in one line.

        Args:
            scratch: a private folder on the volume for what it lays on disk.
            volume_root: named where the volume is full.

        Raises:
            InputError: too little memory, or no cluster answers.
            VolumeError: the volume is full.
        """
        if self.spark_remote and self.name is EngineName.SPARK:
            from sodai.engines.spark import opened_spark

            return opened_spark(self.spark_remote, scratch, volume_root)
        from sodai.engines.duckdb import opened_duckdb

        return opened_duckdb(self.memory_mib, scratch, volume_root)
