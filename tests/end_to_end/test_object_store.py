"""All nine stages as processes on an object store: what they publish is what they publish in a folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from made_bucket import ObjectStoreServer, environment_with
from made_run import N_TRIALS, TwoWeeks
from made_week import files_of
from sodai.datasets import EXTRACT, FEATURES_STAGE, LOAD, RETRAIN, STAGES

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Bucket:
    """A volume on the object store with the first week of `two_weeks` in raw/, and how to reach it."""

    url: str
    folder: Path
    environment: Mapping[str, str]

    def start(self, *command: str, machine: str) -> "subprocess.CompletedProcess[str]":
        """Run Python on a machine, which is a cache of its own; with an MLflow that both share."""
        return subprocess.run(
            [sys.executable, *command],
            env={
                **self.environment,
                "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("shared", "stages")),
                "SODAI_CACHE": str(self.folder / machine),
                "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, stage: str, as_of: str, machine: str) -> tuple[dict[str, object], str]:
        """The result and the log of a stage."""
        options = ["--trials", str(N_TRIALS)] if stage == RETRAIN else []
        done = self.start("-m", stage, "--as-of", as_of, "--data", self.url, *options, machine=machine)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    def published(self, *folders: str) -> dict[str, bytes]:
        """Path below the root -> content of what a reader finds."""
        done = self.start(
            "-m",
            "sodai.storage",
            "get",
            self.url,
            *folders,
            "--to",
            str(self.folder / "got"),
            machine="reader",
        )
        assert done.returncode == 0, done.stderr
        return files_of(self.folder / "got")


def reading(url: str) -> str:
    """How an API reads the predictions, as the README tells it."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(code).replace("s3://bucket/sodai", url)


@pytest.fixture
def bucket(two_weeks: TwoWeeks, object_store: ObjectStoreServer, tmp_path: Path) -> Bucket:
    bucket = Bucket(object_store.make_volume(), tmp_path, environment_with(object_store))
    source = str(two_weeks.history.before)
    done = bucket.start("-m", "sodai.storage", "load", source, bucket.url, machine="reader")
    assert done.returncode == 0, done.stderr
    return bucket


def test_stages_on_an_object_store_publish_what_they_do_in_a_folder_and_skip_without_a_download(
    bucket: Bucket, two_weeks: TwoWeeks
) -> None:
    as_of = str(two_weeks.history.as_of)
    stages = [stage for stage in STAGES if stage != LOAD]
    first = {stage: bucket.run(stage, as_of, "one")[0] for stage in stages}
    # The branch that this week did not take, for the week that follows.
    loaded, _ = bucket.run(LOAD, str(two_weeks.history.next_as_of), "one")
    assert loaded["version"] == "1"

    folders = (f"predictions/week={as_of}", f"weeks/{as_of}/create_features", "warehouse")
    found = {path: text for path, text in bucket.published(*folders).items() if "run.json" not in path}
    expected = {
        path: text
        for path, text in two_weeks.after_first.items()
        if path.startswith(folders) and not path.endswith(("run.json", ".lock"))
    }
    assert len(expected) > 20
    assert found == expected

    done = bucket.start("-c", f"{reading(bucket.url)}\nprint(newest, len(best))", machine="reader")
    assert done.stdout.split() == [f"predictions/week={as_of}/predictions.parquet", "300"], done.stderr

    for stage in stages:
        again, log = bucket.run(stage, as_of, "another")
        assert again == {**first[stage], "skipped": True}, f"{stage}: {log}"
        assert "brought" not in log
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
            ("--engine", "spark", "--spark-remote", "sc://nobody:1"),
            "--engine: found spark, expected duckdb: {} is an object",
        ),
    ],
)
def test_what_cannot_be_on_an_object_store_is_one_line(
    bucket: Bucket, two_weeks: TwoWeeks, stage: str, options: tuple[str, ...], line: str
) -> None:
    as_of = str(two_weeks.history.as_of)
    done = bucket.start("-m", stage, "--as-of", as_of, "--data", bucket.url, *options, machine="one")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith(line.format(bucket.url))


def test_an_error_names_the_place_on_the_object_store(bucket: Bucket) -> None:
    done = bucket.start("-m", EXTRACT, "--as-of", "auto", "--data", f"{bucket.url}/empty", machine="one")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith(f"{bucket.url}/empty/raw: found no transaction file")
