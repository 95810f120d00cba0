"""The input of a run or of the stack: how files get into raw/ of a volume."""

import filecmp
import os
import shutil
import subprocess
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import IO

from make_commands.commands import output_of, output_of_module
from sodai_dag.settings import ROOT, is_object_store

# The transaction files of the example data begin with this name on every volume.
_EXAMPLE = "transacciones_example"
# Scripts for a container that sees the volume at /data. A file gets into raw/ complete or not at all.
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


class InputVolume(ABC):
    """A volume whose raw/ gets the input files.

    Attributes:
        name: value of SODAI_VOLUME.
        remedy: what to do to get a volume without input files.
    """

    name: str
    remedy: str

    @abstractmethod
    def raw_names(self) -> list[str]:
        """Return the names of the parquet files in raw/.

        Raises:
            OSError: the volume cannot be reached; the message is one line.
        """

    @abstractmethod
    def add(self, source: Path) -> None:
        """Add the parquet files of a folder to raw/, each as a whole; replace files of the same name.

        Raises:
            OSError: the files cannot be read or written; the message is one line.
        """

    def path_of(self, path: str) -> str:
        """Return how people write a path below the root."""
        return f"{self.name}/{path}"


class FolderVolume(InputVolume):
    """A folder of this machine, which is also the `home` of Airflow's database and logs."""

    def __init__(self, root: Path) -> None:
        self.home = root.resolve()
        self.name = str(self.home)
        self.remedy = f"give another OUT, or remove {self.name}"

    def raw_names(self) -> list[str]:
        """List the folder; it may be missing."""
        return _parquet_names(self.home / "raw")

    def add(self, source: Path) -> None:
        """Copy new and changed files."""
        raw = self.home / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for name in parquet_names(source):
            file, target = source / name, raw / name
            if target.exists() and (file.samefile(target) or filecmp.cmp(file, target, shallow=False)):
                continue
            private = raw / f".{uuid.uuid4().hex}-{name}"
            shutil.copyfile(file, private)
            os.replace(private, target)


class StoreVolume(InputVolume):
    """A volume on an object store, which the environment of the stages loads and lists.

    `home` is a folder of this machine for Airflow's database and logs: below SODAI_CACHE if that is a
    folder, else below the project.
    """

    remedy = "give another OUT"

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        cache = Path(os.environ.get("SODAI_CACHE", ""))
        base = cache if cache.is_absolute() else ROOT / ".cache"
        self.home = base / "runs" / self.name.partition("://")[2]

    def raw_names(self) -> list[str]:
        """List the published files."""
        paths = output_of_module("sodai.object_store", "list", self.name, "raw/*.parquet")
        return [path.removeprefix("raw/") for path in paths.splitlines()]

    def add(self, source: Path) -> None:
        """Upload the files."""
        parquet_names(source)
        output_of_module("sodai.object_store", "load", str(source.resolve()), self.name)


class DockerVolume(InputVolume):
    """A volume of the Docker engine, or a folder of its machine, as the container of a stage sees it.

    Files are sent as a stream: an engine on another machine works too, and the files belong to the user of
    the stages.

    Args:
        name: name of the volume, or absolute path of the folder.
        image: image of a stage, which has that user.
    """

    remedy = "make down VOLUMES=1 removes the volume of the stack, SODAI_VOLUME names another"

    def __init__(self, name: str, image: str) -> None:
        self.name = name
        kind = "bind" if name.startswith("/") else "volume"
        mount = f"type={kind},source={name},target=/data"
        run = "docker run --rm --interactive --pull never --network none --entrypoint sh --mount"
        self._command = [*run.split(), mount, image, "-c"]

    def raw_names(self) -> list[str]:
        """List the folder inside; it may be missing."""
        return sorted(self._run(subprocess.DEVNULL, _LIST).splitlines())

    def add(self, source: Path) -> None:
        """Unpack the files in a private folder and move them from there."""
        names = parquet_names(source)
        pack = ["tar", "--create", "--dereference", "--directory", str(source), "--", *names]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            self._run(packing.stdout, _UNPACK, "unpack", *names)

    def path_of(self, path: str) -> str:
        """Return the volume and the path in it."""
        return f"{self.name}:{path}"

    def _run(self, stdin: IO[bytes] | int | None, *script: str) -> str:
        try:
            # Docker explains an error in the first line; a hint about its help follows.
            return output_of(*self._command, *script, stdin=stdin, error_line=0)
        except OSError as error:
            raise OSError(f"{self.name}: {error}") from error


RunVolume = FolderVolume | StoreVolume


def open_volume(out: str) -> RunVolume:
    """Return the volume of a run: a folder, or `s3://bucket/prefix`."""
    return StoreVolume(out) if is_object_store(out) else FolderVolume(Path(out))


def add_input(volume: InputVolume, source: Path | None) -> str:
    """Add the parquet files of `source` to raw/, or the example data if None; delete nothing.

    The example data are added only to a raw/ without parquet files, and other files are not added to them.

    Returns:
        what a run reads then, in words.

    Raises:
        OSError: the files cannot be read or written, or cannot be mixed with those in raw/; the message is
            one line.
    """
    present, raw = volume.raw_names(), volume.path_of("raw")
    if source is None:
        if present:
            return f"the {len(present)} files in {raw}"
        with tempfile.TemporaryDirectory() as folder:
            output_of_module("example_data", folder)
            volume.add(Path(folder))
        return f"the example data, in {raw}"
    new = parquet_names(source)
    if present and _are_example(present) != _are_example(new):
        kinds = ["the example data", "your own files"]
        found, added = kinds if _are_example(present) else reversed(kinds)
        raise OSError(f"{raw}: found {found}, which cannot be mixed with {added}; {volume.remedy}")
    volume.add(source)
    return f"{len(new)} files of {source}, in {raw}"


def parquet_names(folder: Path) -> list[str]:
    """Return the sorted names of the parquet files of a folder laid out like raw/.

    Raises:
        FileNotFoundError: there are none.
    """
    names = _parquet_names(folder)
    if not names:
        raise FileNotFoundError(f"{folder}: no parquet files, expected transactions, customers and products")
    return names


def _are_example(names: Collection[str]) -> bool:
    return any(name.startswith(_EXAMPLE) for name in names)


def _parquet_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("[!.]*.parquet"))
