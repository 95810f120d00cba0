"""Files that replace others whole or not at all."""

from pathlib import Path

import pytest

from sodai.volume.atomic_files import atomic_write, leftover_paths, private_path


def test_what_was_written_takes_the_place_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("before")
    with atomic_write(file) as private:
        private.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("before")

    def write_half() -> None:
        with atomic_write(file) as private:
            private.write_text("aft")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_two_at_once_have_a_name_each_whatever_their_process_ids(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    with atomic_write(file) as one, atomic_write(file) as other:
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"
    names = {private_path(file).name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith(".") for name in names)


def test_private_names_of_a_file_are_found_and_those_of_others_are_not(tmp_path: Path) -> None:
    file, other = tmp_path / "week=[1]", tmp_path / "last-week=[1]"
    own = private_path(file)
    for path in (file, own, private_path(other), tmp_path / ".a-week=[1]"):
        path.mkdir()
    assert leftover_paths(file) == [own]
    assert leftover_paths(tmp_path / "nowhere" / "week") == []
