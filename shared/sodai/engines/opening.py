"""The engine that the options of a stage ask for, opened."""

from contextlib import AbstractContextManager
from pathlib import Path

from sodai.engines import Engine, EngineName
from sodai.engines.duckdb import open_duckdb


def open_engine(
    name: EngineName, spark_remote: str | None, memory_mib: int, scratch: Path, volume_root: Path
) -> AbstractContextManager[Engine]:
    """Open an engine until the block ends, with its limits as one-line errors.

    Args:
        name: of the engine.
        spark_remote: address of a Spark Connect server, `sc://host:15002`; needed for Spark alone.
        memory_mib: the most memory that DuckDB may hold.
        scratch: a private folder on the volume for intermediate results.
        volume_root: named in the error where the volume is full.

    Raises:
        InputError: too little memory, or the cluster does not answer.
        VolumeError: the volume is full.
    """
    if name is EngineName.SPARK:
        # PySpark takes 2 seconds to import, which runs without a cluster must not pay.
        from sodai.engines.spark import open_spark

        assert spark_remote is not None, "check_settings refuses Spark without an address"
        return open_spark(spark_remote, scratch, volume_root)
    return open_duckdb(memory_mib, scratch, volume_root)
