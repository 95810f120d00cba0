"""Checkouts of an object store: complete pushes, refused ones, killed stages and error messages."""

import errno
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

import sodai.object_store.checkout as module
from sodai.errors import VolumeError
from sodai.object_store.checkout import Checkout, open_checkout
from sodai.object_store.s3 import ObjectStore
from support.object_store_server import ObjectStoreServer, environment_with, keys_of

ROOT = Path(__file__).parents[4]
REPORTS = ("reports/one.html", "reports/two.html")

# A stage whose machine goes down after the upload and before the pointer is replaced.
_KILLED_STAGE = """
import os, signal, sys
from sodai.object_store.s3 import ObjectStore
from sodai.object_store.checkout import open_checkout

ObjectStore.replace_pointer = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
with open_checkout(sys.argv[1]) as checkout:
    (checkout.root / "reports").mkdir()
    for name in ("one", "two"):
        (checkout.root / f"reports/{name}.html").write_text("second")
    checkout.push(["reports"])
"""


@pytest.fixture
def url(object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Return a volume with two pages, pushed together."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SODAI_CACHE", str(tmp_path / "cache"))
    url = object_store.make_volume()
    with open_checkout(url) as checkout:
        write(checkout, dict.fromkeys(REPORTS, "first"))
        checkout.push(["reports"])
    return url


def write(checkout: Checkout, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (checkout.root / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / name).write_text(text)


def published(url: str) -> dict[str, str]:
    """Map the paths that a reader finds now to their texts."""
    with open_checkout(url) as checkout:
        files = checkout.published.matching("*/*")
        checkout.fetch(files, ())
        return {str(file.relative_to(checkout.root)): file.read_text() for file in files}


def test_pushed_files_are_read_back(url: str) -> None:
    assert published(url) == dict.fromkeys(REPORTS, "first")


def test_a_push_replaces_its_publish_roots_and_no_others(url: str) -> None:
    with open_checkout(url) as checkout:
        write(checkout, {"reports/one.html": "second", "history/runs": "kept"})
        checkout.push(["history"])
    with open_checkout(url) as checkout:
        write(checkout, {"reports/one.html": "second"})
        checkout.push(["reports"])
    assert published(url) == {"reports/one.html": "second", "history/runs": "kept"}


def test_a_stage_killed_before_the_pointer_is_replaced_changes_nothing(
    url: str, object_store: ObjectStoreServer, tmp_path: Path
) -> None:
    before = keys_of(object_store, url)

    done = subprocess.run(
        [sys.executable, "-c", _KILLED_STAGE, url],
        env={**environment_with(object_store), "PYTHONPATH": str(ROOT / "shared")},
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert len(keys_of(object_store, url) - before) == 1  # equal texts, one object
    assert published(url) == dict.fromkeys(REPORTS, "first")
    assert list((tmp_path / "cache/private").iterdir()) == []
    with open_checkout(url) as checkout:
        assert checkout.prune(time.time() - 3600) == 0
        assert checkout.prune(time.time() + 60) == 1
    assert keys_of(object_store, url) == before
    assert published(url) == dict.fromkeys(REPORTS, "first")


def test_replaced_objects_stay_for_readers_of_the_older_manifest_until_pruned(
    url: str, object_store: ObjectStoreServer
) -> None:
    with open_checkout(url) as reader, open_checkout(url) as checkout:
        write(checkout, dict.fromkeys(REPORTS, "second"))
        checkout.push(["reports"])
        reader.fetch([reader.root / "reports"], ())
        assert (reader.root / REPORTS[0]).read_text() == "first"
    with open_checkout(url) as checkout:
        assert checkout.prune(time.time() + 60) == 1
    assert len(keys_of(object_store, url)) == 2
    assert published(url) == dict.fromkeys(REPORTS, "second")


def test_two_pushes_at_the_same_time_both_succeed(url: str) -> None:
    with open_checkout(url) as one, open_checkout(url) as other:
        write(one, {"history/runs": "one"})
        write(other, {"predictions/week": "other"})
        one.push(["history"])
        other.push(["predictions"])
    assert published(url) == {
        **dict.fromkeys(REPORTS, "first"),
        "history/runs": "one",
        "predictions/week": "other",
    }


def test_an_object_pruned_since_the_checkout_is_uploaded_again(
    url: str, object_store: ObjectStoreServer
) -> None:
    with open_checkout(url) as one, open_checkout(url) as other:
        write(one, dict.fromkeys(REPORTS, "second"))
        write(other, {"history/runs": "first"})
        one.push(["reports"])
        one.prune(time.time() + 60)
        other.push(["history"])
    assert published(url) == {**dict.fromkeys(REPORTS, "second"), "history/runs": "first"}


def test_a_change_by_another_run_is_not_overwritten(url: str) -> None:
    with open_checkout(url) as one, open_checkout(url) as other:
        for checkout in (one, other):
            checkout.fetch([checkout.root / "reports"], ["reports"])
            (checkout.root / REPORTS[0]).unlink()
        write(one, {REPORTS[0]: "one"})
        one.push(["reports"])
        with pytest.raises(VolumeError, match=f"^{url}/reports: another run changed it since this one began"):
            other.push(["reports"])
    assert published(url)[REPORTS[0]] == "one"


class _LosesAnswers(BaseHTTPRequestHandler):
    """Forwards requests to a store and drops the answer to the first ones that write the pointer."""

    store = ""
    n_dropped = 0
    most_dropped = 0

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = HTTPConnection(self.store.removeprefix("http://"))
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        writes_pointer = self.command == "PUT" and self.path.endswith("/manifest.json")
        if writes_pointer and self.n_dropped < self.most_dropped:
            type(self).n_dropped += 1
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Server", "Date", "Connection"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.forward()

    def do_PUT(self) -> None:
        self.forward()

    def log_message(self, *arguments: object) -> None:
        pass


# obstore repeats the write: with one answer lost it reads that the pointer has changed, with all it gives up.
@pytest.mark.parametrize("most_dropped", [1, 99])
def test_a_write_whose_answer_is_lost_is_not_taken_for_another_run(
    most_dropped: int,
    url: str,
    object_store: ObjectStoreServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with open_checkout(url) as checkout:
        checkout.fetch([checkout.root / "reports"], ["reports"])
        (checkout.root / REPORTS[0]).unlink()
        write(checkout, {REPORTS[0]: "second"})
        with serving(_LosesAnswers) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            monkeypatch.setattr(_LosesAnswers, "store", object_store.endpoint)
            monkeypatch.setattr(_LosesAnswers, "n_dropped", 0)
            monkeypatch.setattr(_LosesAnswers, "most_dropped", most_dropped)
            monkeypatch.setattr(checkout, "_store", ObjectStore(url))
            checkout.push(["reports"])
            assert _LosesAnswers.n_dropped == (1 if most_dropped == 1 else 4)
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    assert published(url) == {REPORTS[0]: "second", REPORTS[1]: "first"}
    assert "another run" not in caplog.text


def test_too_many_concurrent_updates_are_reported_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0)
    with open_checkout(url) as busy, open_checkout(url) as checkout:
        replace = checkout._store.replace_pointer

        def replace_after_another(text: str, tag: str) -> str:
            write(busy, {"history/runs": text[-200:] + str(time.time_ns())})
            busy.push(["history"])
            return replace(text, tag)

        monkeypatch.setattr(checkout._store, "replace_pointer", replace_after_another)
        write(checkout, {"predictions/week": "new"})
        with pytest.raises(
            VolumeError, match=f"^{url}: other runs replaced the manifest 20 times .* run the"
        ):
            checkout.push(["predictions"])


def test_a_damaged_or_missing_object_is_reported_in_one_line(
    url: str, object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SODAI_CACHE", str(tmp_path / "another machine"))
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    (key,) = (key for key in keys_of(object_store, url) if key.startswith("objects/"))
    object_store.client().put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=b"fir?t")
    with pytest.raises(
        VolumeError, match=f"^{url}/reports/one.html: object {key} has the SHA-256 .* damaged;"
    ):
        published(url)

    with (
        open_checkout(url) as checkout,
        pytest.raises(VolumeError, match=r"reports/one.html: object .* has the SHA-256 .* damaged;"),
    ):
        checkout.published.text(checkout.root / REPORTS[0])

    object_store.client().delete_object(Bucket=bucket, Key=f"{prefix}/{key}")
    with pytest.raises(VolumeError, match=f"^{url}: an object that the manifest names is missing .* again"):
        published(url)


def test_a_full_disk_leaves_no_half_file(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SODAI_CACHE", str(tmp_path / "another machine"))
    with open_checkout(url) as checkout:
        page = checkout.root / REPORTS[0]

        def download_half(_: str, file: Path) -> str:
            file.write_text("fir")
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(checkout._store, "download", download_half)
            message = (
                r"machine: cannot be written \(No space left on device\); give the disk of SODAI_CACHE, /"
            )
            with pytest.raises(VolumeError, match=message):
                checkout.published.text(page)
        assert list(page.parent.iterdir()) == []

        assert checkout.published.text(page) == "first"


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        (
            "/sys/cache",
            r"/sys/cache.*: cannot be written \(.*\); give the disk of SODAI_CACHE, /sys/cache, space",
        ),
        ("/dev/null", "/dev/null: is a file, expected a folder; name one in SODAI_CACHE$"),
    ],
)
def test_a_cache_that_cannot_be_written_is_reported_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch, cache: str, message: str
) -> None:
    monkeypatch.setenv("SODAI_CACHE", cache)
    with pytest.raises(VolumeError, match=f"^{message}"):
        published(url)


def test_each_user_of_a_machine_has_a_cache(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SODAI_CACHE")
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path / "tmp"))
    for user in (7, 8):
        monkeypatch.setattr(module.os, "getuid", lambda user=user: user)
        published(url)
    assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == ["sodai-7", "sodai-8"]


def test_a_file_damaged_in_the_cache_is_downloaded_again(url: str, tmp_path: Path) -> None:
    (blob,) = (tmp_path / "cache/objects").iterdir()
    blob.chmod(0o644)
    blob.write_text("fir?t")
    assert published(url) == dict.fromkeys(REPORTS, "first")
    assert blob.read_text() == "first"


def test_a_missing_bucket_and_missing_credentials_are_reported_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(VolumeError, match=r"^s3://nowhere/volume: there is no bucket nowhere, expected one;"):
        published("s3://nowhere/volume")
    # Without a key obstore asks the machine for one: here a port where nothing listens.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
        with pytest.raises(VolumeError, match=f"^{url}: access denied .* check AWS_ACCESS_KEY_ID"):
            published(url)


class _DeniesAccess(BaseHTTPRequestHandler):
    """Answers like a bucket that the key may neither read nor delete from."""

    denied = (
        b"<Error><Key>volume/objects/a</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    )

    def do_GET(self) -> None:
        self.answer(403, self.denied)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b"<DeleteResult>" + self.denied + b"</DeleteResult>")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Yield the address of a server that answers as the handler does."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_denied_access_and_a_closed_port_are_reported_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(_DeniesAccess) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(VolumeError, match=rf"^{url}: access denied \(.*AccessDenied.*\), expected a key"):
            published(url)
    # The port is closed by now.
    with pytest.raises(VolumeError, match=f"^{url}: no answer .*{endpoint}.* check that it runs"):
        published(url)


def test_an_address_that_is_no_url_and_a_machine_without_certificates_are_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "store:9000")
    with pytest.raises(VolumeError, match=r"^AWS_ENDPOINT_URL: found store:9000, expected http://host:port"):
        ObjectStore("s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "/nowhere")
    with pytest.raises(VolumeError, match=r"^s3://bucket: no CA certificate for the store, .* SSL_CERT_FILE"):
        ObjectStore("s3://bucket")


def test_objects_that_the_key_may_not_delete_are_reported_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(_DeniesAccess) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(
            VolumeError,
            match=rf"^{url}: not all of 2 objects were removed \(.*volume/objects/a.*Access Denied.*"
            r"AccessDenied.*\), expected a key that may delete there; ",
        ):
            ObjectStore(url).delete(["objects/a", "objects/b"])
