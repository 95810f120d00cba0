"""What comes into raw/ of a volume, and what does not."""

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import run_volume
from example_data.beverages import TRANSACTIONS
from run_volume import DockerVolume, FolderVolume, StoreVolume, Volume, bring
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
    """What a script prints that sees the volume at /data."""
    mount = ("--volume", f"{volume.name}:/data")
    return docker("run", "--rm", "--pull", "never", *mount, "--entrypoint", "sh", IMAGE, "-c", script)


@pytest.fixture
def docker_volume() -> Iterator[DockerVolume]:
    """An empty volume of the engine."""
    volume = DockerVolume(f"sodai-test-{uuid.uuid4()}", IMAGE)
    yield volume
    docker("volume", "rm", "--force", volume.name)


@pytest.fixture(params=["folder", "store", pytest.param("docker", marks=pytest.mark.docker)])
def volume(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """An empty volume of each kind."""
    if request.param == "folder":
        return FolderVolume(tmp_path / "volume")
    if request.param == "docker":
        made: DockerVolume = request.getfixturevalue("docker_volume")
        return made
    store: ObjectStoreServer = request.getfixturevalue("object_store")
    for name, value in {**store.environment, "SODAI_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    return StoreVolume(store.make_volume())


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[list[str], str], Path]:
    """Makes a folder laid out like raw/, whose files hold a text."""

    def make(names: list[str], text: str = "") -> Path:
        made = tmp_path / f"{text}{len(names)}"
        made.mkdir()
        for name in [*names, "notes.txt"]:
            (made / name).write_text(f"{text} {name}")
        return made

    return make


def content(volume: Volume, tmp_path: Path) -> dict[str, str]:
    """Name -> text of the files in raw/."""
    if isinstance(volume, DockerVolume):
        lines = inside(
            volume, 'cd /data/raw && for name in *; do echo "$name:$(cat "$name")"; done'
        ).splitlines()
        return dict(line.split(":", 1) for line in lines)
    raw = tmp_path / "volume/raw"
    if isinstance(volume, StoreVolume):
        to = str(tmp_path / "volume")
        run_volume._stages_python("-m", "sodai.object_store", "get", volume.name, "raw", "--to", to)
    return {file.name: file.read_text() for file in raw.iterdir()}


def test_files_of_the_business_come_week_after_week(
    volume: Volume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    first, second = folder(OWN, "own"), folder(DROP, "drop")

    assert bring(volume, first) == f"3 files of {first}, in {volume.place('raw')}"
    bring(volume, second)

    assert volume.raw_names() == sorted(OWN + DROP)
    assert content(volume, tmp_path) == {
        **{name: f"own {name}" for name in OWN},
        **{name: f"drop {name}" for name in DROP},
    }


def test_without_a_folder_files_of_the_business_are_the_input_as_they_are(
    volume: Volume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    bring(volume, folder(OWN, "own"))

    assert bring(volume, None) == f"the 3 files that {volume.place('raw')} holds"
    assert content(volume, tmp_path) == {name: f"own {name}" for name in OWN}


@pytest.mark.parametrize(
    ("held", "new", "told"),
    [
        (EXAMPLE, OWN, "holds the example data, expected none beside files of your own; "),
        (OWN, EXAMPLE, "holds files of your own, expected none beside the example data; "),
    ],
)
def test_the_example_data_and_others_do_not_mix(
    volume: Volume,
    folder: Callable[[list[str], str], Path],
    tmp_path: Path,
    held: list[str],
    new: list[str],
    told: str,
) -> None:
    bring(volume, folder(held, "held"))

    with pytest.raises(OSError, match=re.escape(f"{volume.place('raw')} {told}{volume.emptied}")):
        bring(volume, folder(new, "new"))

    assert content(volume, tmp_path) == {name: f"held {name}" for name in held}


def test_the_next_drop_of_the_example_data_joins_them(
    volume: Volume, folder: Callable[[list[str], str], Path]
) -> None:
    bring(volume, folder(EXAMPLE[:3], "first"))
    bring(volume, folder(EXAMPLE[3:], "drop"))
    assert volume.raw_names() == sorted(EXAMPLE)


def test_a_folder_without_parquet_files_is_refused_before_anything_is_made(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    volume = FolderVolume(tmp_path / "volume")
    with pytest.raises(FileNotFoundError, match=r"notes0: no parquet files, expected transactions"):
        bring(volume, folder([], "notes"))
    assert not volume.home.exists()


def test_an_empty_volume_gets_the_example_data_which_are_known_by_their_names(tmp_path: Path) -> None:
    volume = FolderVolume(tmp_path / "volume")
    assert bring(volume, None) == f"the example data, in {volume.place('raw')}"
    assert len(volume.raw_names()) == 7
    assert [name for name in volume.raw_names() if name.startswith(run_volume._EXAMPLE)] == [
        name for name in volume.raw_names() if name.startswith("transacciones")
    ]


def test_files_in_raw_itself_are_taken_as_they_are(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    volume = FolderVolume(tmp_path / "volume")
    bring(volume, folder(OWN, "own"))
    bring(volume, volume.home / "raw")
    assert content(volume, tmp_path) == {name: f"own {name}" for name in OWN}


@pytest.mark.docker
def test_files_in_a_volume_of_docker_belong_to_the_stages_and_nothing_else_comes_along(
    docker_volume: DockerVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    own = folder(OWN, "own")
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / DROP[0]).symlink_to(own / OWN[2])

    docker_volume.add(own)
    docker_volume.add(drop)

    told = inside(docker_volume, "ls -A /data; stat -c '%u %F %n' /data/raw/*")
    assert told.splitlines() == [
        "raw",
        *(f"1000 regular file /data/raw/{name}" for name in sorted(OWN + DROP)),
    ]


@pytest.mark.docker
def test_a_drop_of_which_a_file_cannot_be_read_does_not_come_into_a_volume_of_docker(
    docker_volume: DockerVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    bring(docker_volume, folder(OWN, "own"))
    drop = folder([*OWN, *DROP], "drop")
    (drop / OWN[0]).unlink()
    (drop / OWN[0]).symlink_to("nowhere")

    with pytest.raises(OSError, match=rf"^{docker_volume.name}: .*clientes.parquet"):
        bring(docker_volume, drop)

    assert content(docker_volume, tmp_path) == {name: f"own {name}" for name in OWN}
    assert inside(docker_volume, "ls -A /data") == "raw\n"


@pytest.mark.docker
def test_a_folder_of_the_engines_machine_is_loaded_in_place(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    root.chmod(0o777)
    for path in [tmp_path, *tmp_path.parents[:2]]:
        path.chmod(path.stat().st_mode | 0o011)

    bring(DockerVolume(str(root), IMAGE), folder(OWN, "own"))

    assert sorted(file.name for file in (root / "raw").iterdir()) == OWN


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "image", "told"),
    [
        ("/nowhere/on/this/machine", IMAGE, "bind source path does not exist"),
        ("sodai-test-unused", "sodai/nothing:latest", "No such image: sodai/nothing:latest"),
    ],
)
def test_a_volume_that_cannot_be_reached_is_told_in_one_line(name: str, image: str, told: str) -> None:
    with pytest.raises(OSError, match=rf"^{name}: docker: .*{told}.*$"):
        bring(DockerVolume(name, image), None)
