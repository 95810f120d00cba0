"""Files that are replaced as a whole or not at all."""

from pathlib import Path

import pytest

from sodai.volume.atomic_files import atomic_write, leftover_paths, private_path


def test_the_written_file_replaces_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("before")
    with atomic_write(file) as private:
        private.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
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


def test_two_writers_at_the_same_time_get_different_names(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    with atomic_write(file) as one, atomic_write(file) as other:
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"
    names = {private_path(file).name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith(".") for name in names)


def test_leftover_paths_are_those_of_the_file_alone(tmp_path: Path) -> None:
    file, other = tmp_path / "week=[1]", tmp_path / "last-week=[1]"
    own = private_path(file)
    for path in (file, own, private_path(other), tmp_path / ".a-week=[1]"):
        path.mkdir()
    assert leftover_paths(file) == [own]
    assert leftover_paths(tmp_path / "nowhere" / "week") == []
