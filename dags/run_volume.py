"""The volume of a run or of the stack: how files come to it, and where the results of a run are read."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
_OBJECT_STORE = "s3://"
# How the transaction files of the example data begin, wherever they lie.
_EXAMPLE = "transacciones_example"
# In a container that sees the volume at /data. A file comes into raw/ whole, under its name, or not at all.
_LIST = '[ ! -d /data/raw ] || find /data/raw -maxdepth 1 -name "[!.]*.parquet" -printf "%f\\n"'
_UNPACK = """
set -e
mkdir -p /data/raw
private=$(mktemp -d /data/.drop-XXXXXX)
trap 'rm -rf "$private"' EXIT
tar --extract --no-same-owner --no-same-permissions --directory "$private"
cd "$private"
ls -- "$@" >/dev/null
mv -f -- "$@" /data/raw/
"""


class Volume(Protocol):
    """Where raw/ is; `emptied` says what to do for a volume that holds nothing."""

    emptied: str

    def raw_names(self) -> list[str]:
        """The names of the parquet files in raw/.

        Raises:
            OSError: it cannot be reached; the message is one line.
        """

    def add(self, source: Path) -> None:
        """Add the parquet files of a folder to raw/; one of the same name is replaced, each whole.

        Raises:
            OSError: they cannot be read or brought there; the message is one line.
        """

    def place(self, path: str) -> str:
        """How people name a path below the root."""


class RunVolume(Volume, Protocol):
    """A folder of this machine, or a volume on an object store.

    `name` is what SODAI_VOLUME takes; `home` a folder of this machine for Airflow's database and logs.
    """

    name: str
    home: Path

    def read_json(self, path: str) -> dict[str, Any]:
        """A published record by its path below the root."""


def run_volume(out: str) -> RunVolume:
    """The volume that a path or `s3://bucket/prefix` names.

    Raises:
        OSError: it is on an object store, and MLFLOW_TRACKING_URI names no server for models.
    """
    if not is_object_store(out):
        return FolderVolume(Path(out))
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise OSError(f"MLFLOW_TRACKING_URI: not set, expected an MLflow server: {out} is an object store")
    return StoreVolume(out)


def is_object_store(name: str) -> bool:
    """Whether a volume of that name is on an object store."""
    return name.startswith(_OBJECT_STORE)


def bring(volume: Volume, source: Path | None) -> str:
    """Bring the parquet files of `source` into raw/, or the example data if None; nothing is deleted.

    The example data come only where raw/ holds no parquet file, and none of other data beside them.

    Returns:
        what a run reads then, in words.

    Raises:
        OSError: they cannot be read or brought there, or are not to be mixed with what raw/ holds; the
            message is one line.
    """
    held = volume.raw_names()
    if source is None:
        if held:
            return f"the {len(held)} files that {volume.place('raw')} holds"
        with tempfile.TemporaryDirectory() as folder:
            _stages_python("-m", "example_data", folder)
            volume.add(Path(folder))
        return f"the example data, in {volume.place('raw')}"
    new = parquet_names(source)
    if held and _are_example(held) != _are_example(new):
        kinds = "the example data", "files of your own"
        here, there = kinds if _are_example(held) else reversed(kinds)
        raise OSError(f"{volume.place('raw')} holds {here}, expected none beside {there}; {volume.emptied}")
    volume.add(source)
    return f"{len(new)} files of {source}, in {volume.place('raw')}"


def parquet_names(folder: Path) -> list[str]:
    """The names of the parquet files of a folder laid out like raw/, in order.

    Raises:
        FileNotFoundError: there are none.
    """
    names = _parquet_names(folder)
    if not names:
        raise FileNotFoundError(f"{folder}: no parquet files, expected transactions, customers and products")
    return names


class FolderVolume:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.home = root.resolve()
        self.name = str(self.home)
        self.emptied = f"give another OUT, or remove {self.name}"

    def raw_names(self) -> list[str]:
        """List the folder; there may be none."""
        return _parquet_names(self.home / "raw")

    def add(self, source: Path) -> None:
        """Copy new and changed files under a private name and rename them."""
        raw = self.home / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for name in parquet_names(source):
            file, target = source / name, raw / name
            if file.resolve() == target.resolve() or (target.exists() and _same(file, target)):
                continue
            private = raw / f".{name}.part"
            shutil.copyfile(file, private)
            os.replace(private, target)

    def read_json(self, path: str) -> dict[str, Any]:
        """Read the file."""
        return _read_json(self.home / path)

    def place(self, path: str) -> str:
        """Its path."""
        return str(self.home / path)


class StoreVolume:
    """A volume on an object store, which the pipeline's own environment loads and reads.

    What belongs to this machine lies below SODAI_CACHE where that is a folder, else below the project.
    """

    emptied = "give another OUT"

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        cache = Path(os.environ.get("SODAI_CACHE", ""))
        below = cache if cache.is_absolute() else ROOT / ".cache"
        self.home = below / "runs" / self.name.removeprefix(_OBJECT_STORE)

    def raw_names(self) -> list[str]:
        """Read the manifest."""
        listed = _stages_python("-m", "sodai.object_store", "list", self.name, "raw/*.parquet")
        return [path.removeprefix("raw/") for path in listed.splitlines()]

    def add(self, source: Path) -> None:
        """Upload the files."""
        parquet_names(source)
        _stages_python("-m", "sodai.object_store", "load", str(source), self.name)

    def read_json(self, path: str) -> dict[str, Any]:
        """Bring the file and read it."""
        with tempfile.TemporaryDirectory() as folder:
            _stages_python("-m", "sodai.object_store", "get", self.name, path, "--to", folder)
            return _read_json(Path(folder) / path)

    def place(self, path: str) -> str:
        """Its URL."""
        return f"{self.name}/{path}"


class DockerVolume:
    """A volume of the Docker engine, or a folder of its machine, as a container of a stage sees it.

    Files go there as a stream, so that it works with an engine on another machine too and they belong to
    the user of the stages.

    Args:
        name: of the volume, or the absolute path of the folder.
        image: of a stage, which knows that user.
    """

    emptied = "make down VOLUMES=1 removes the volume of the stack, SODAI_VOLUME names another"

    def __init__(self, name: str, image: str) -> None:
        self.name = name
        kind = "bind" if name.startswith("/") else "volume"
        mount = f"type={kind},source={name},target=/data"
        run = "docker run --rm --interactive --pull never --network none --entrypoint sh --mount"
        self._run = [*run.split(), mount, image, "-c"]

    def raw_names(self) -> list[str]:
        """List the folder inside."""
        return sorted(self._inside(subprocess.DEVNULL, _LIST).splitlines())

    def add(self, source: Path) -> None:
        """Unpack the files under a private name and rename them."""
        names = parquet_names(source)
        pack = ["tar", "--create", "--dereference", "--directory", str(source), "--", *names]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            self._inside(packing.stdout, _UNPACK, "unpack", *names)

    def place(self, path: str) -> str:
        """Its path in the volume."""
        return f"{self.name}:{path}"

    def _inside(self, stdin: Any, *script: str) -> str:
        done = subprocess.run([*self._run, *script], stdin=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise OSError(f"{self.name}: {told[0]}")
        return done.stdout


def _are_example(names: Collection[str]) -> bool:
    return any(name.startswith(_EXAMPLE) for name in names)


def _stages_python(*arguments: str) -> str:
    """What Python prints in the environment of the stages, which Airflow's is not.

    Raises:
        OSError: it failed; the message is the last line that it said.
    """
    done = subprocess.run(
        [ROOT / ".venv/bin/python", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "shared")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return done.stdout


def _parquet_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("[!.]*.parquet"))


def _read_json(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
