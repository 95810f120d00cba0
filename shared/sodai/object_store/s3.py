"""A bucket of the S3 kind: immutable objects, and one pointer that is only replaced as it was read."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from sodai.errors import VolumeError
from sodai.runtime.environment import ENV_S3_DEFAULT_REGION, ENV_S3_ENDPOINT, ENV_S3_REGION

POINTER = "manifest.json"
_CHUNK_BYTES = 8 << 20
_LISTED_OBJECTS = 1000
_DENIED = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",  # the answer to an empty key
    "ExpiredToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
}
# The last is where obstore asks for the credentials of the machine if the environment has none.
_NO_CREDENTIALS = ("Missing AccessKeyId", "Missing SecretAccessKey", "/latest/api/token")
_NO_ANSWER = "HTTP error"


class ObjectStore:
    """The objects below `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        """Prepare access with address and credentials from the AWS_* variables; sends no request.

        Raises:
            VolumeError: the URL names no bucket, or AWS_ENDPOINT_URL is no URL.
        """
        self.url = url.rstrip("/")
        self._bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        if not self.url.startswith("s3://") or not self._bucket:
            raise VolumeError(f"--data {url}: expected a folder or s3://bucket/prefix")
        region = os.environ.get(ENV_S3_REGION) or os.environ.get(ENV_S3_DEFAULT_REGION) or "us-east-1"
        # Named in any case: obstore takes an empty variable, which Compose sets, for an address.
        endpoint = os.environ.get(ENV_S3_ENDPOINT) or f"https://s3.{region}.amazonaws.com"
        if not endpoint.startswith(("http://", "https://")):
            raise VolumeError(
                f"AWS_ENDPOINT_URL: found {endpoint}, expected http://host:port or https://host"
            )
        with self._explain_errors():
            self._store = S3Store(
                self._bucket,
                prefix=prefix or None,
                region=region,
                endpoint=endpoint,
                # Of a whole request: large objects on slow lines take long. A store that stops answering
                # is noticed by read_timeout.
                client_options={
                    "allow_http": True,
                    "connect_timeout": timedelta(seconds=5),
                    "read_timeout": timedelta(seconds=30),
                    "timeout": timedelta(days=1),
                },
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
            )

    def read_pointer(self) -> tuple[str, str]:
        """Return the text and the tag of the current version of the pointer; both are empty before the first.

        Raises:
            VolumeError: the bucket is missing, access is denied, or no store answers.
        """
        with self._explain_errors():
            try:
                pointer = obstore.get(self._store, POINTER)
                return bytes(pointer.bytes()).decode(), pointer.meta["e_tag"] or ""
            except FileNotFoundError as error:
                if _code(error) != "NoSuchKey":
                    raise
                return "", ""

    def replace_pointer(self, text: str, tag: str) -> str:
        """Replace the version of the pointer that has the tag, or write the first one if the tag is empty.

        Returns the tag of the new version; empty if the pointer has another tag by now, or if the answer was
        lost: only `read_pointer` shows whether the text was written then.

        Raises:
            VolumeError: see `read_pointer`.
        """
        with self._explain_errors():
            try:
                written = obstore.put(
                    self._store,
                    POINTER,
                    text.encode(),
                    attributes={"Content-Type": "application/json"},
                    mode={"e_tag": tag} if tag else "create",
                )
            except (AlreadyExistsError, PreconditionError):
                return ""
            except GenericError as error:
                if _NO_ANSWER in str(error):
                    return ""
                raise
        return written["e_tag"] or ""

    def upload(self, file: Path, name: str) -> None:
        """Write a file as the object `name`; a large one in several requests.

        Raises:
            VolumeError: see `read_pointer`.
        """
        with self._explain_errors():
            # Each request must end within read_timeout: few of them share the line.
            obstore.put(self._store, name, file, chunk_size=_CHUNK_BYTES, max_concurrency=2)

    def download(self, name: str, file: Path) -> str:
        """Write the object `name` into a file and return its SHA-256.

        Raises:
            VolumeError: it is missing, or see `read_pointer`.
        """
        digest = hashlib.sha256()
        with self._explain_errors(), file.open("wb") as target:
            for chunk in obstore.get(self._store, name).stream(min_chunk_size=_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
        return digest.hexdigest()

    def objects(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Yield the name and the time of the last change of every object below a folder.

        Raises:
            VolumeError: see `read_pointer`.
        """
        with self._explain_errors():
            for page in obstore.list(self._store, folder, chunk_size=_LISTED_OBJECTS):
                for each in page:
                    yield each["path"], each["last_modified"]

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; one that is missing already counts as removed.

        Raises:
            VolumeError: some were not removed, or see `read_pointer`.
        """
        with self._explain_errors():
            try:
                obstore.delete(self._store, names)
            except GenericError as error:
                if "DeleteObjects request failed for key" not in str(error):
                    raise
                raise VolumeError(
                    f"{self.url}: not all of {len(names)} objects were removed ({_reason(error)}), expected "
                    "a key that may delete there; check AWS_ACCESS_KEY_ID, then prune again"
                ) from error

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn what obstore raises into a one-line error."""
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # a file of this machine
                raise
            raise VolumeError(f"{self.url}: {self._explain(error)}") from error

    def _explain(self, error: Exception) -> str:
        """Return what was found, what was expected and what to do."""
        text, code = str(error), _code(error)
        reason = f"({_reason(error)})"
        if code == "NoSuchBucket":
            return (
                f"there is no bucket {self._bucket}, expected one; create it or correct --data, "
                "then run the stage again"
            )
        if code == "NoSuchKey":
            return (
                f"an object that the manifest names is missing {reason}; run the stage that writes it again "
                "with --force"
            )
        denied = isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in _DENIED
        if denied or any(sign in text for sign in _NO_CREDENTIALS):
            return (
                f"access denied {reason}, expected a key that may read, write and list there; check "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then run the stage again"
            )
        if "No CA certificates" in text or "InvalidCertificate" in text:
            return (
                "no CA certificate for the store, expected one on this machine; install ca-certificates or "
                "name a file with it in SSL_CERT_FILE"
            )
        if _NO_ANSWER in text:
            return (
                f"no answer {reason}, expected an object store; check that it runs and that AWS_ENDPOINT_URL "
                "names it, then run the stage again"
            )
        return f"the object store refused {reason}; run the stage again"


def _code(error: Exception) -> str:
    """Return the code of the store's answer, empty if it gave none."""
    match = re.search(r"<Code>(\w+)</Code>", str(error))
    return match[1] if match else ""


def _reason(error: Exception) -> str:
    """Return the code and message of the store's answer, or the first line of the error."""
    message = re.search(r"<Message>([^<]*)</Message>", str(error))
    if message:
        return f"{_code(error)}: {message[1]}"
    return str(error).splitlines()[0].removeprefix("Generic S3 error: ")[:300]
