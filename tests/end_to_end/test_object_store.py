"""The whole DAG on an object store: it publishes the same files as in a folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sodai.data.catalog import EXTRACT, FEATURES_STAGE, LOAD, STAGES
from support.object_store_server import ObjectStoreServer, environment_with
from support.pipeline_runs import Run, TwoWeeks, run_pipeline
from support.week import files_of

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bucket:
    """An empty volume on the object store, and the environment that reaches it."""

    url: str
    folder: Path
    environment: Mapping[str, str]

    def machine(self, name: str) -> dict[str, str]:
        """Return the environment of a machine with its own cache and an MLflow that all machines share."""
        return {
            **self.environment,
            "SODAI_CACHE": str(self.folder / name),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
        }

    def start(self, *command: str, machine: str) -> "subprocess.CompletedProcess[str]":
        """Run Python on a machine."""
        paths = os.pathsep.join(str(ROOT / folder) for folder in ("shared", "stages"))
        return subprocess.run(
            [sys.executable, *command],
            env={**self.machine(machine), "PYTHONPATH": paths},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, data: Path, machine: str) -> tuple[Run, str]:
        """Run the whole pipeline on a machine and return its result and its log."""
        run = run_pipeline(data, self.url, env=self.machine(machine))
        assert run.code == 0, run.stderr
        *_, log = sorted((self.folder / machine).rglob("run-*.log"))
        return run, log.read_text(encoding="utf-8")

    def published(self, *folders: str) -> dict[str, bytes]:
        """Map the paths below the root that a reader finds to their contents."""
        done = self.start(
            "-m",
            "sodai.object_store",
            "get",
            self.url,
            *folders,
            "--to",
            str(self.folder / "copied"),
            machine="reader",
        )
        assert done.returncode == 0, done.stderr
        return files_of(self.folder / "copied")


def reading_code(url: str) -> str:
    """Return the code with which an API reads the predictions, from the documentation."""
    readme = ROOT / "shared/sodai/object_store/README.md"
    (code,) = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    return str(code).replace("s3://bucket/sodai", url)


@pytest.fixture
def bucket(object_store: ObjectStoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    # A registry in a file puts its artifacts into the working folder.
    monkeypatch.chdir(tmp_path)
    return Bucket(object_store.make_volume(), tmp_path, environment_with(object_store))


def test_a_run_on_an_object_store_publishes_the_same_files_and_skips_without_a_download(
    bucket: Bucket, two_weeks: TwoWeeks
) -> None:
    as_of, source = str(two_weeks.history.as_of), str(two_weeks.history.before)
    done = bucket.start("-m", "sodai.object_store", "load", source, bucket.url, machine="reader")
    assert done.returncode == 0, done.stderr
    run, log = bucket.run(two_weeks.history.before, "one")
    assert run.tasks == two_weeks.first.tasks
    assert "fetched" in log
    links = re.search(r"recommendations +(\S+)\n +pages +(\S+)\n", run.stdout)
    assert links is not None
    assert links.groups() == (
        f"{bucket.url}/predictions/week={as_of}",
        f"{bucket.url}/reports/{as_of}/index.html",
    )

    folders = (f"predictions/week={as_of}", f"weeks/{as_of}/create_features", "warehouse")
    published = {path: text for path, text in bucket.published(*folders).items() if "run.json" not in path}
    expected = {
        path: text
        for path, text in two_weeks.after_first.items()
        if path.startswith(folders) and not path.endswith(("run.json", ".lock"))
    }
    assert len(expected) > 20
    assert published == expected

    done = bucket.start("-c", f"{reading_code(bucket.url)}\nprint(newest, len(best))", machine="reader")
    assert done.stdout.split() == [f"predictions/week={as_of}/predictions.parquet", "300"], done.stderr

    again, log = bucket.run(two_weeks.history.before, "another")
    assert again.skipped == two_weeks.again.skipped
    assert len(again.skipped) == len(STAGES) - 1
    assert "fetched" not in log
    assert list((bucket.folder / "one/private").iterdir()) == []


@pytest.mark.parametrize(
    ("stage", "options", "line"),
    [
        (
            LOAD,
            ("--tracking-uri", ""),
            "--tracking-uri: not given, expected an MLflow server: {} is an object",
        ),
        (
            FEATURES_STAGE,
            ("--engine", "spark", "--spark-remote", "sc://nowhere:1"),
            "--engine: found spark, expected duckdb: {} is an object",
        ),
    ],
)
def test_options_that_an_object_store_excludes_are_refused_in_one_line(
    bucket: Bucket, stage: str, options: tuple[str, ...], line: str
) -> None:
    done = bucket.start("-m", stage, "--as-of", "2025-01-06", "--data", bucket.url, *options, machine="one")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith(line.format(bucket.url))


def test_an_error_names_the_path_on_the_object_store(bucket: Bucket) -> None:
    done = bucket.start("-m", EXTRACT, "--as-of", "auto", "--data", f"{bucket.url}/empty", machine="one")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith(f"{bucket.url}/empty/raw: found no transaction file")
