"""A bucket of the S3 kind: immutable objects, and one pointer that is replaced only as it was read.

pyarrow, which every stage has, moves the objects. It cannot write on a condition, and leaves markers behind
where it deletes: the pointer and the housekeeping go through botocore. Both take address and credentials
from the standard AWS_* variables.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)
from pyarrow import fs

from sodai.errors import VolumeError

POINTER = "manifest.json"
_PIECE_BYTES = 8 << 20
_MOST_AT_ONCE = 1000
# What a store answers where the pointer is not as it was read, or was written at the same moment.
_CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_FORBIDDEN = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}


class ObjectStore:
    """The objects below `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        """Nobody is asked yet.

        Raises:
            VolumeError: the URL names no bucket, or there are no credentials.
        """
        self.url = url.rstrip("/")
        self._bucket, _, self._prefix = self.url.removeprefix("s3://").partition("/")
        if not self.url.startswith("s3://") or not self._bucket:
            raise VolumeError(f"--data {url}: expected a folder or s3://bucket/prefix")
        session = botocore.session.get_session()
        with self._explained():
            self._client = session.create_client(
                "s3",
                region_name=os.environ.get("AWS_REGION") or session.get_config_variable("region"),
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "max_attempts": 3},
                    s3={"addressing_style": "path"} if os.environ.get("AWS_ENDPOINT_URL") else None,
                ),
            )
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            self._credentials = credentials

    def read_pointer(self) -> tuple[str, str]:
        """The text of the pointer and the tag of this version of it; both empty before the first.

        Raises:
            VolumeError: the bucket is missing, access is denied, or nobody answers.
        """
        with self._explained():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(POINTER))
            except ClientError as error:
                if _code(error) == "NoSuchKey":
                    return "", ""
                raise
            return found["Body"].read().decode(), found["ETag"]

    def replace_pointer(self, text: str, tag: str) -> str:
        """Replace the version of the pointer that has the tag, or write the first one if it is empty.

        Returns the tag of the new version; empty where another process was faster.

        Raises:
            VolumeError: see `read_pointer`.
        """
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        with self._explained():
            try:
                written = self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(POINTER),
                    Body=text.encode(),
                    ContentType="application/json",
                    **condition,
                )
            except ClientError as error:
                if _code(error) in _CONFLICTS:
                    return ""
                raise
        return str(written["ETag"])

    def upload(self, file: Path, name: str) -> None:
        """Write a file as the object `name`; large ones in parts.

        Raises:
            VolumeError: see `read_pointer`.
        """
        with (
            self._explained(),
            file.open("rb") as source,
            self._files().open_output_stream(f"{self._bucket}/{self._key(name)}") as target,
        ):
            while piece := source.read(_PIECE_BYTES):
                target.write(piece)

    def download(self, name: str, file: Path) -> str:
        """Write the object `name` into a file; its SHA-256.

        Raises:
            VolumeError: it is missing, or see `read_pointer`.
        """
        digest = hashlib.sha256()
        with (
            self._explained(),
            self._files().open_input_stream(f"{self._bucket}/{self._key(name)}") as source,
            file.open("wb") as target,
        ):
            while piece := source.read(_PIECE_BYTES):
                digest.update(piece)
                target.write(piece)
        return digest.hexdigest()

    def objects(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Name and time of the last change of every object below a folder.

        Raises:
            VolumeError: see `read_pointer`.
        """
        start = len(self._key(""))
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(f"{folder}/")):
                for found in page.get("Contents", []):
                    yield found["Key"][start:], found["LastModified"]

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; those that are gone already count as removed.

        Raises:
            VolumeError: some are there still, or see `read_pointer`.
        """
        left = []
        with self._explained():
            for start in range(0, len(names), _MOST_AT_ONCE):
                keys = [{"Key": self._key(name)} for name in names[start : start + _MOST_AT_ONCE]]
                wanted = {"Objects": keys, "Quiet": True}
                # Answered with 200 whatever became of each of them.
                left += self._client.delete_objects(Bucket=self._bucket, Delete=wanted).get("Errors", [])
        if left:
            why = " ".join(str(left[0].get(name, "")) for name in ("Key", "Code", "Message"))
            raise VolumeError(
                f"{self.url}: {len(left)} of {len(names)} objects were not removed ({_first_line(why)}), "
                "expected a key that may delete there; check AWS_ACCESS_KEY_ID, then prune again"
            )

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _files(self) -> Any:
        """The store as pyarrow sees it, with the credentials of this moment."""
        credentials = self._credentials.get_frozen_credentials()
        options: dict[str, Any] = {
            "access_key": credentials.access_key,
            "secret_key": credentials.secret_key,
            "session_token": credentials.token,
            "region": self._client.meta.region_name,
            # Else even a small object is written in parts, with three requests.
            "allow_delayed_open": True,
        }
        if os.environ.get("AWS_ENDPOINT_URL"):
            address = urlsplit(self._client.meta.endpoint_url)
            options |= {"scheme": address.scheme, "endpoint_override": address.netloc}
        return fs.S3FileSystem(**options)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what botocore and pyarrow raise into a one-line error."""
        try:
            yield
        except ClientError as error:
            raise VolumeError(self._told(_code(error), str(error))) from error
        except NoCredentialsError as error:
            raise VolumeError(self._told("AccessDenied", str(error))) from error
        except (NoConnection, HTTPClientError) as error:
            raise VolumeError(
                f"{self.url}: nobody answers ({_first_line(str(error))}), expected an object store; check "
                "that it runs and that AWS_ENDPOINT_URL names it, then run the stage again"
            ) from error
        except FileNotFoundError as error:
            raise VolumeError(
                f"{self.url}: an object is missing that the manifest names ({_first_line(str(error))}); run "
                "the stage that writes it again with --force"
            ) from error
        except (BotoCoreError, OSError) as error:
            # Errors of the local disk carry their number; those of the store come as plain text.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise VolumeError(self._told("", str(error))) from error

    def _told(self, code: str, message: str) -> str:
        if code == "NoSuchBucket":
            return (
                f"{self.url}: there is no bucket {self._bucket}, expected one; make it or correct --data, "
                "then run the stage again"
            )
        if code in _FORBIDDEN:
            return (
                f"{self.url}: access denied ({_first_line(message)}), expected a key that may read, write "
                "and list there; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then run the stage again"
            )
        return f"{self.url}: the object store refused ({_first_line(message)}); run the stage again"


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _first_line(text: str) -> str:
    return text.splitlines()[0][:300] if text else "no reason given"
