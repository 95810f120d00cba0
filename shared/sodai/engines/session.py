"""A session with a Spark cluster through its Spark Connect server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import contextmanager
from pathlib import Path

import grpc
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.connect.client.core import DefaultChannelBuilder

from sodai.engines import is_full
from sodai.errors import InputError, VolumeError

# The time that a cluster has to answer, and then to run a job of one row.
ANSWER_SECONDS = 10
JOB_SECONDS = 60


@contextmanager
def spark_session(remote: str, volume_root: Path) -> Iterator[SparkSession]:
    """Open a session with a cluster until the block ends.

    Args:
        remote: address of the Spark Connect server, `sc://host:15002`.
        volume_root: named in the error where the volume is full.

    Raises:
        InputError: no cluster answers.
        VolumeError: the volume is full.
    """
    session = _start_session(remote)
    try:
        yield session
    except PySparkException as error:
        if is_full(str(error)):
            raise VolumeError(f"{volume_root}: is full; give it space and run again") from None
        raise
    finally:
        session.stop()


def _start_session(remote: str) -> SparkSession:
    """Return a session whose cluster has run a first job.

    Raises:
        InputError: the server or its workers do not answer in time.
    """
    try:
        grpc.channel_ready_future(DefaultChannelBuilder(remote).toChannel()).result(timeout=ANSWER_SECONDS)
    except grpc.FutureTimeoutError:
        raise _timeout_error(remote, f"did not answer within {ANSWER_SECONDS} s") from None
    session = SparkSession.builder.remote(remote).create()
    with ThreadPoolExecutor(1) as pool:
        first_job = pool.submit(session.sql("SELECT count(*) FROM range(0, 1, 1, 1)").toArrow)
        try:
            first_job.result(timeout=JOB_SECONDS)
        except TimeoutError:
            session.interruptAll()
            session.stop()
            raise _timeout_error(remote, f"ran no job within {JOB_SECONDS} s") from None
    return session


def _timeout_error(remote: str, what: str) -> InputError:
    return InputError(
        f"--spark-remote: {remote} {what}, expected a Spark Connect server with workers; start it "
        "(make up SPARK=1) or leave --engine out"
    )
