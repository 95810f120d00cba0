"""A session with a Spark cluster by its Spark Connect server, or one line that says why there is none."""

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

# How long a cluster may take to answer, and then to run a job of one row.
ANSWER_SECONDS = 10
JOB_SECONDS = 60


def remote_of(address: str | None) -> str:
    """The address of a Spark Connect server that was given.

    Raises:
        InputError: none was, or it is none.
    """
    if not address or not address.startswith("sc://"):
        raise InputError(
            f"--spark-remote: found {address or 'nothing, nor SODAI_SPARK'}, expected the address of a Spark "
            "Connect server such as sc://spark-connect:15002; give it or leave --engine out"
        )
    return address


@contextmanager
def spark_session(remote: str, volume_root: Path) -> Iterator[SparkSession]:
    """A session with a cluster for the time of the block.

    Raises:
        InputError: no cluster answers.
        VolumeError: the volume is full.
    """
    session = _session(remote)
    try:
        yield session
    except PySparkException as error:
        if is_full(str(error)):
            raise VolumeError(f"{volume_root}: is full; give it space and run again") from None
        raise
    finally:
        session.stop()


def _session(remote: str) -> SparkSession:
    """A session whose cluster has run a first job.

    Raises:
        InputError: nobody answers in time.
    """
    try:
        grpc.channel_ready_future(DefaultChannelBuilder(remote).toChannel()).result(timeout=ANSWER_SECONDS)
    except grpc.FutureTimeoutError:
        raise _unanswered(remote, f"did not answer within {ANSWER_SECONDS} s") from None
    session = SparkSession.builder.remote(remote).create()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(session.sql("SELECT count(*) FROM range(0, 1, 1, 1)").toArrow)
        try:
            first.result(timeout=JOB_SECONDS)
        except TimeoutError:
            session.interruptAll()
            session.stop()
            raise _unanswered(remote, f"ran no job within {JOB_SECONDS} s") from None
    return session


def _unanswered(remote: str, what: str) -> InputError:
    return InputError(
        f"--spark-remote: {remote} {what}, expected a Spark Connect server with workers; start it "
        "(make up SPARK=1) or leave --engine out"
    )
