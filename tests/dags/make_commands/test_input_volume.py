"""Files that get into raw/ of a volume, and files that do not."""

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from example_data.beverages import TRANSACTIONS
from make_commands.commands import output_of_module
from make_commands.input_volume import (
    _EXAMPLE,
    DockerVolume,
    FolderVolume,
    InputVolume,
    StoreVolume,
    add_input,
)
from support.object_store_server import ObjectStoreServer

OWN = ["clientes.parquet", "productos.parquet", "transacciones.parquet"]
DROP = ["transacciones_2025-01-06.parquet"]
EXAMPLE = [
    "clientes.parquet",
    "productos.parquet",
    f"{TRANSACTIONS}.parquet",
    f"{TRANSACTIONS}_2017-12-25.parquet",
]


IMAGE = "sodai/extract_and_validate_data:latest"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def inside(volume: DockerVolume, script: str) -> str:
    """Run a script that sees the volume at /data; return what it prints."""
    mount = ("--volume", f"{volume.name}:/data")
    return docker("run", "--rm", "--pull", "never", *mount, "--entrypoint", "sh", IMAGE, "-c", script)


@pytest.fixture
def docker_volume() -> Iterator[DockerVolume]:
    """An empty volume of the engine."""
    volume = DockerVolume(f"sodai-test-{uuid.uuid4()}", IMAGE)
    yield volume
    docker("volume", "rm", "--force", volume.name)


@pytest.fixture(params=["folder", "store", pytest.param("docker", marks=pytest.mark.docker)])
def volume(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputVolume:
    """An empty volume of each kind."""
    if request.param == "folder":
        return FolderVolume(tmp_path / "volume")
    if request.param == "docker":
        docker_volume: DockerVolume = request.getfixturevalue("docker_volume")
        return docker_volume
    store: ObjectStoreServer = request.getfixturevalue("object_store")
    for name, value in {**store.environment, "SODAI_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    return StoreVolume(store.make_volume())


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[list[str], str], Path]:
    """Create a folder laid out like raw/, whose files contain a text."""

    def create(names: list[str], text: str = "") -> Path:
        folder = tmp_path / f"{text}{len(names)}"
        folder.mkdir()
        for name in [*names, "notes.txt"]:
            (folder / name).write_text(f"{text} {name}")
        return folder

    return create


def content(volume: InputVolume, tmp_path: Path) -> dict[str, str]:
    """Return the text of the files in raw/ by name."""
    if isinstance(volume, DockerVolume):
        lines = inside(
            volume, 'cd /data/raw && for name in *; do echo "$name:$(cat "$name")"; done'
        ).splitlines()
        return dict(line.split(":", 1) for line in lines)
    raw = tmp_path / "volume/raw"
    if isinstance(volume, StoreVolume):
        to = str(tmp_path / "volume")
        output_of_module("sodai.object_store", "get", volume.name, "raw", "--to", to)
    return {file.name: file.read_text() for file in raw.iterdir()}


def test_files_are_added_week_after_week(
    volume: InputVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    first, second = folder(OWN, "own"), folder(DROP, "drop")

    assert add_input(volume, first) == f"3 files of {first}, in {volume.path_of('raw')}"
    add_input(volume, second)

    assert volume.raw_names() == sorted(OWN + DROP)
    assert content(volume, tmp_path) == {
        **{name: f"own {name}" for name in OWN},
        **{name: f"drop {name}" for name in DROP},
    }


def test_without_a_folder_the_files_that_are_there_are_the_input(
    volume: InputVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    add_input(volume, folder(OWN, "own"))

    assert add_input(volume, None) == f"the 3 files in {volume.path_of('raw')}"
    assert content(volume, tmp_path) == {name: f"own {name}" for name in OWN}


@pytest.mark.parametrize(
    ("present", "new", "error"),
    [
        (EXAMPLE, OWN, "found the example data, which cannot be mixed with your own files; "),
        (OWN, EXAMPLE, "found your own files, which cannot be mixed with the example data; "),
    ],
)
def test_the_example_data_and_others_do_not_mix(
    volume: InputVolume,
    folder: Callable[[list[str], str], Path],
    tmp_path: Path,
    present: list[str],
    new: list[str],
    error: str,
) -> None:
    add_input(volume, folder(present, "present"))

    with pytest.raises(OSError, match=re.escape(f"{volume.path_of('raw')}: {error}{volume.remedy}")):
        add_input(volume, folder(new, "new"))

    assert content(volume, tmp_path) == {name: f"present {name}" for name in present}


def test_the_next_drop_of_the_example_data_joins_them(
    volume: InputVolume, folder: Callable[[list[str], str], Path]
) -> None:
    add_input(volume, folder(EXAMPLE[:3], "first"))
    add_input(volume, folder(EXAMPLE[3:], "drop"))
    assert volume.raw_names() == sorted(EXAMPLE)


def test_a_folder_without_parquet_files_is_refused_before_anything_is_written(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    volume = FolderVolume(tmp_path / "volume")
    with pytest.raises(FileNotFoundError, match=r"notes0: no parquet files, expected transactions"):
        add_input(volume, folder([], "notes"))
    assert not volume.home.exists()


def test_an_empty_volume_gets_the_example_data_which_are_recognised_by_name(tmp_path: Path) -> None:
    volume = FolderVolume(tmp_path / "volume")
    assert add_input(volume, None) == f"the example data, in {volume.path_of('raw')}"
    assert len(volume.raw_names()) == 7
    assert [name for name in volume.raw_names() if name.startswith(_EXAMPLE)] == [
        name for name in volume.raw_names() if name.startswith("transacciones")
    ]


def test_files_of_raw_itself_stay_as_they_are(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    volume = FolderVolume(tmp_path / "volume")
    add_input(volume, folder(OWN, "own"))
    add_input(volume, volume.home / "raw")
    assert content(volume, tmp_path) == {name: f"own {name}" for name in OWN}


@pytest.mark.docker
def test_files_in_a_docker_volume_belong_to_the_stages_and_nothing_else_is_added(
    docker_volume: DockerVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    own = folder(OWN, "own")
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / DROP[0]).symlink_to(own / OWN[2])

    docker_volume.add(own)
    docker_volume.add(drop)

    listing = inside(docker_volume, "ls -A /data; stat -c '%u %F %n' /data/raw/*")
    assert listing.splitlines() == [
        "raw",
        *(f"1000 regular file /data/raw/{name}" for name in sorted(OWN + DROP)),
    ]


@pytest.mark.docker
def test_a_drop_with_an_unreadable_file_is_not_added_to_a_docker_volume(
    docker_volume: DockerVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    add_input(docker_volume, folder(OWN, "own"))
    drop = folder([*OWN, *DROP], "drop")
    (drop / OWN[0]).unlink()
    (drop / OWN[0]).symlink_to("nowhere")

    with pytest.raises(OSError, match=rf"^{docker_volume.name}: .*clientes.parquet"):
        add_input(docker_volume, drop)

    assert content(docker_volume, tmp_path) == {name: f"own {name}" for name in OWN}
    assert inside(docker_volume, "ls -A /data") == "raw\n"


@pytest.mark.docker
def test_a_folder_of_the_engines_machine_gets_the_files(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    root.chmod(0o777)
    for path in [tmp_path, *tmp_path.parents[:2]]:
        path.chmod(path.stat().st_mode | 0o011)

    add_input(DockerVolume(str(root), IMAGE), folder(OWN, "own"))

    assert sorted(file.name for file in (root / "raw").iterdir()) == OWN


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "image", "error"),
    [
        ("/nowhere/on/this/machine", IMAGE, "bind source path does not exist"),
        ("sodai-test-unused", "sodai/nothing:latest", "No such image: sodai/nothing:latest"),
    ],
)
def test_a_volume_that_cannot_be_reached_is_reported_in_one_line(name: str, image: str, error: str) -> None:
    with pytest.raises(OSError, match=rf"^{name}: docker: .*{error}.*$"):
        add_input(DockerVolume(name, image), None)
