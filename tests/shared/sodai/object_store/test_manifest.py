"""The manifest of an object store: what a push replaces, drops and leaves."""

import pytest

from sodai.errors import VolumeError
from sodai.object_store.manifest import Manifest, StoredObject, is_below

OLD, NEW, OTHER = (StoredObject(f"objects/{name}", name, 1) for name in ("old", "new", "other"))
BEFORE = Manifest({"reports/a": OLD, "reports/b": OLD, "reports2": OTHER})


def test_a_push_replaces_its_publish_roots_and_nothing_else() -> None:
    after = BEFORE.with_files(["reports"], {"reports/a": NEW}, now=5.0)
    assert after.files == {"reports/a": NEW, "reports2": OTHER}


def test_an_object_is_dropped_when_the_last_file_stops_using_it() -> None:
    first = BEFORE.with_files(["reports/a"], {"reports/a": NEW}, now=5.0)
    second = first.with_files(["reports/b"], {"reports/b": NEW}, now=7.0)
    assert (first.dropped, second.dropped) == ({}, {"objects/old": 7.0})


def test_a_file_can_be_added_without_replacing_anything() -> None:
    after = BEFORE.with_files([], {"skipped": NEW}, now=5.0)
    assert after.files == {**BEFORE.files, "skipped": NEW}
    assert after.dropped == {}


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest(BEFORE.files, {"objects/gone": 1.5})
    assert Manifest.parse(manifest.to_json(), "s3://b") == manifest
    assert Manifest.parse("", "s3://b") == Manifest()


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}', '{"format": 1, "files": {"a": {"b": 1}}}'])
def test_an_unreadable_manifest_is_reported_in_one_line(text: str) -> None:
    with pytest.raises(
        VolumeError, match=r"^s3://b/manifest.json: not readable \(.*\), expected .* format 1;"
    ):
        Manifest.parse(text, "s3://b")


def test_all_files_are_below_the_root() -> None:
    assert BEFORE.below(".") == BEFORE.files
    assert set(BEFORE.below("reports")) == {"reports/a", "reports/b"}


def test_a_name_that_begins_like_a_folder_is_not_in_it() -> None:
    assert is_below("reports/a", ["reports"])
    assert is_below("reports", ["reports"])
    assert not is_below("reports2", ["reports"])
