"""What comes into raw/ of a volume, and what does not."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import run_volume
from example_data.beverages import TRANSACTIONS
from made_bucket import ObjectStoreServer
from run_volume import FolderVolume, RunVolume, StoreVolume, bring

OWN = ["clientes.parquet", "productos.parquet", "transacciones.parquet"]
DROP = ["transacciones_2025-01-06.parquet"]
EXAMPLE = [
    "clientes.parquet",
    "productos.parquet",
    f"{TRANSACTIONS}.parquet",
    f"{TRANSACTIONS}_2017-12-25.parquet",
]


@pytest.fixture(params=["folder", "store"])
def volume(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunVolume:
    """An empty volume of each kind."""
    if request.param == "folder":
        return FolderVolume(tmp_path / "volume")
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


def content(volume: RunVolume, tmp_path: Path) -> dict[str, str]:
    """Name -> text of the files in raw/."""
    if isinstance(volume, StoreVolume):
        run_volume._stages_python(
            "-m", "sodai.storage", "get", volume.name, "raw", "--to", str(tmp_path / "got")
        )
    raw = tmp_path / ("got" if isinstance(volume, StoreVolume) else "volume") / "raw"
    return {file.name: file.read_text() for file in raw.iterdir()}


def test_files_of_the_business_come_week_after_week(
    volume: RunVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
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
    volume: RunVolume, folder: Callable[[list[str], str], Path], tmp_path: Path
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
    volume: RunVolume,
    folder: Callable[[list[str], str], Path],
    tmp_path: Path,
    held: list[str],
    new: list[str],
    told: str,
) -> None:
    bring(volume, folder(held, "held"))

    with pytest.raises(OSError, match=re.escape(f"{volume.place('raw')} {told}give another OUT")):
        bring(volume, folder(new, "new"))

    assert content(volume, tmp_path) == {name: f"held {name}" for name in held}


def test_the_next_drop_of_the_example_data_joins_them(
    volume: RunVolume, folder: Callable[[list[str], str], Path]
) -> None:
    bring(volume, folder(EXAMPLE[:3], "first"))
    bring(volume, folder(EXAMPLE[3:], "drop"))
    assert volume.raw_names() == sorted(EXAMPLE)


def test_a_folder_without_parquet_files_is_refused_before_anything_is_made(
    folder: Callable[[list[str], str], Path], tmp_path: Path
) -> None:
    volume = FolderVolume(tmp_path / "volume")
    with pytest.raises(FileNotFoundError, match="no parquet files, expected transactions"):
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
