"""An object store on loopback for tests: moto's server, a bucket for each volume."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import botocore.session
from moto.server import ThreadedMotoServer

_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class ObjectStoreServer:
    """Where it listens."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return {**_KEYS, "AWS_ENDPOINT_URL": self.endpoint}

    def make_volume(self) -> str:
        """The URL of an empty volume in a bucket of its own."""
        bucket = f"sodai-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return f"s3://{bucket}/volume"

    def client(self) -> botocore.client.BaseClient:
        """A client of botocore."""
        return botocore.session.get_session().create_client(
            "s3",
            region_name=_KEYS["AWS_DEFAULT_REGION"],
            endpoint_url=self.endpoint,
            aws_access_key_id=_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_KEYS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def object_store_server() -> Iterator[ObjectStoreServer]:
    """A server that runs for as long as the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStoreServer(f"http://{host}:{port}")
    finally:
        server.stop()


def keys_of(server: ObjectStoreServer, url: str) -> set[str]:
    """The keys of all objects of a volume, below its root."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    found = server.client().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {each["Key"].removeprefix(f"{prefix}/") for each in found}


def environment_with(server: ObjectStoreServer) -> dict[str, str]:
    """The environment of the tests and what reaches the server."""
    return {**os.environ, **server.environment}
