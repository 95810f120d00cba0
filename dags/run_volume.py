"""The volume of a run that `make run` starts: how files come to it, and where its results are read."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
_OBJECT_STORE = "s3://"


class RunVolume(Protocol):
    """A folder of this machine, or a volume on an object store.

    `name` is what SODAI_VOLUME takes; `home` a folder of this machine for Airflow's database and logs.
    """

    name: str
    home: Path

    def prepare(self, source: Path | None) -> None:
        """Bring the parquet files of `source`, or the example data if None, into raw/; nothing is deleted.

        Raises:
            OSError: they cannot be read or brought there; the message is one line.
        """

    def read_json(self, path: str) -> dict[str, Any]:
        """A published record by its path below the root."""

    def place(self, path: str) -> str:
        """How people name a path below the root."""


def run_volume(out: str) -> RunVolume:
    """The volume that a path or `s3://bucket/prefix` names.

    Raises:
        OSError: it is on an object store, and MLFLOW_TRACKING_URI names no server for models.
    """
    if not out.startswith(_OBJECT_STORE):
        return FolderVolume(Path(out))
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise OSError(f"MLFLOW_TRACKING_URI: not set, expected an MLflow server: {out} is an object store")
    return StoreVolume(out)


class FolderVolume:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.home = root.resolve()
        self.name = str(self.home)

    def prepare(self, source: Path | None) -> None:
        """Copy new and changed files under a private name and rename them."""
        raw = self.home / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        if source is None:
            _write_example_data(raw)
            return
        for file in _parquet_files(source):
            target = raw / file.name
            if file.resolve() == target.resolve() or (target.exists() and _same(file, target)):
                continue
            private = raw / f".{file.name}.part"
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

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        cache = Path(os.environ.get("SODAI_CACHE", ""))
        below = cache if cache.is_absolute() else ROOT / ".cache"
        self.home = below / "runs" / self.name.removeprefix(_OBJECT_STORE)

    def prepare(self, source: Path | None) -> None:
        """Upload the files."""
        if source is None:
            source = self.home / "example"
            source.mkdir(parents=True, exist_ok=True)
            _write_example_data(source)
        _parquet_files(source)
        _stages_python("-m", "sodai.storage", "load", str(source), self.name)

    def read_json(self, path: str) -> dict[str, Any]:
        """Bring the file and read it."""
        with tempfile.TemporaryDirectory() as folder:
            _stages_python("-m", "sodai.storage", "get", self.name, path, "--to", folder)
            return _read_json(Path(folder) / path)

    def place(self, path: str) -> str:
        """Its URL."""
        return f"{self.name}/{path}"


def _write_example_data(folder: Path) -> None:
    _stages_python("-m", "example_data", str(folder))


def _stages_python(*arguments: str) -> None:
    """Run Python in the environment of the stages, which Airflow's is not.

    Raises:
        OSError: it failed; the message is the last line that it said.
    """
    done = subprocess.run(
        [ROOT / ".venv/bin/python", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "shared")},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])


def _parquet_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise FileNotFoundError("no parquet files, expected transactions, customers and products")
    return files


def _read_json(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
