"""An object store on this machine for tests: moto's server, with a bucket for each volume."""

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
    """The address of a running server."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that a process needs to reach it."""
        return {**_KEYS, "AWS_ENDPOINT_URL": self.endpoint}

    def make_volume(self) -> str:
        """Create a bucket and return the URL of an empty volume in it."""
        bucket = f"sodai-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return f"s3://{bucket}/volume"

    def client(self) -> botocore.client.BaseClient:
        """Return a client that is independent of the one under test."""
        return botocore.session.get_session().create_client(
            "s3",
            region_name=_KEYS["AWS_DEFAULT_REGION"],
            endpoint_url=self.endpoint,
            aws_access_key_id=_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_KEYS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def object_store_server() -> Iterator[ObjectStoreServer]:
    """Yield a server that runs for as long as the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStoreServer(f"http://{host}:{port}")
    finally:
        server.stop()


def keys_of(server: ObjectStoreServer, url: str) -> set[str]:
    """Return the keys of all objects of a volume, below its root."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    objects = server.client().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {each["Key"].removeprefix(f"{prefix}/") for each in objects}


def environment_with(server: ObjectStoreServer) -> dict[str, str]:
    """Return the environment of the tests with the variables that reach the server."""
    return {**os.environ, **server.environment}
