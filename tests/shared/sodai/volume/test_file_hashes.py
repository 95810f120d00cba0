"""Hashes that are saved and used only for as long as a file is certainly unchanged."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sodai.volume.file_hashes import FileHashes, sha256_of

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    path.write_text("abc")
    return path


def save_false_hash(file: Path) -> None:
    """Save a hash for a file that differs from the one of its content."""
    hashes = FileHashes(file.parent)
    hashes.digest(file)
    hashes.save()
    saved = file.parent / ".hashes.json"
    entries = json.loads(saved.read_text())
    entries[file.name][-1] = "saved"
    saved.write_text(json.dumps(entries))


def test_the_hash_of_a_file_is_the_one_that_the_standard_gives_for_abc(file: Path) -> None:
    assert sha256_of(file) == FileHashes(file.parent).digest(file) == ABC


def test_a_file_that_did_not_change_is_not_read_again(file: Path) -> None:
    save_false_hash(file)
    assert FileHashes(file.parent).digest(file) == "saved"


def test_another_content_with_the_same_size_and_time_is_read(file: Path) -> None:
    save_false_hash(file)
    times = file.stat()
    file.write_text("xyz")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert FileHashes(file.parent).digest(file) == sha256_of(file) != ABC


def test_a_file_renamed_into_place_is_read(file: Path) -> None:
    save_false_hash(file)
    times = file.stat()
    other = file.with_name("other")
    other.write_text("xyz")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(other, file)
    assert FileHashes(file.parent).digest(file) == sha256_of(file)


def test_a_change_right_after_the_hash_is_seen(file: Path) -> None:
    hashes = FileHashes(file.parent)
    for text in ("abd", "abe", "abf", "abg", "abh"):
        file.write_text(text)
        assert hashes.digest(file) == sha256_of(file)


def test_a_copy_of_the_volume_is_read(file: Path, tmp_path: Path) -> None:
    save_false_hash(file)
    copy = shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    assert FileHashes(copy).digest(copy / file.name) == ABC


def test_a_folder_is_hashed_by_its_visible_files(tmp_path: Path) -> None:
    for name in ("b/two", "b/.part", "a", ".hidden/one", "__pycache__/three"):
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert FileHashes(tmp_path).hashes([tmp_path / "model"]) == {"model/a": EMPTY, "model/b/two": EMPTY}


def test_an_empty_folder_is_listed_with_the_folder_around_it(tmp_path: Path) -> None:
    (tmp_path / "raw/more.parquet").mkdir(parents=True)
    assert FileHashes(tmp_path).hashes([tmp_path / "raw"]) == {"raw/more.parquet": "IsADirectoryError"}


def test_a_missing_file_has_the_name_of_the_error_for_a_hash(tmp_path: Path) -> None:
    assert FileHashes(tmp_path).hashes([tmp_path / "gone"]) == {"gone": "FileNotFoundError"}


def test_a_file_removed_after_the_listing_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    for name in ("stays", "emptied/file", "goes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    listed = sorted(folder.rglob("*"))
    shutil.rmtree(folder / "emptied")
    (folder / "goes").unlink()
    monkeypatch.setattr(Path, "rglob", lambda *_: iter(listed))
    missing = dict.fromkeys(("model/emptied", "model/emptied/file", "model/goes"), "FileNotFoundError")
    assert FileHashes(tmp_path).hashes([folder]) == {"model/stays": EMPTY, **missing}


def test_removed_files_are_removed_from_the_saved_hashes(file: Path) -> None:
    save_false_hash(file)
    other = file.with_name("other")
    other.write_text("abc")
    file.unlink()
    hashes = FileHashes(file.parent)
    hashes.digest(other)
    hashes.save()
    assert set(json.loads((file.parent / ".hashes.json").read_text())) == {"other"}


@pytest.mark.parametrize("damage", ["", "{", "[1]"])
def test_damaged_saved_hashes_are_ignored(file: Path, damage: str) -> None:
    (file.parent / ".hashes.json").write_text(damage)
    assert FileHashes(file.parent).digest(file) == ABC


def test_the_hash_of_a_folder_depends_on_every_byte_and_name(tmp_path: Path) -> None:
    hashes = set()
    for names in (("a", "b"), ("b", "a"), ("a", "c")):
        folder = tmp_path / "-".join(names)
        folder.mkdir()
        for content, name in enumerate(names):
            (folder / f"{name}.parquet").write_text(str(content))
        hashes.add(sha256_of(folder))
    assert len(hashes) == 3
