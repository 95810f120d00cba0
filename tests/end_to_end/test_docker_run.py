"""Stages as containers: the same week as with processes, and every stage alone as documented."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sodai.data.catalog import LOAD, METRICS, PREDICTIONS, RETRAIN, SCORING, STAGES, TRAINING, run_record
from sodai.volume.volume import Volume
from support.pipeline_runs import DOCKER, Run, TwoWeeks, aliases, run_pipeline, task_states

pytestmark = pytest.mark.docker

OPTIONS = {RETRAIN: ["--trials", "3"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("containers")


@pytest.fixture(scope="module")
def run(root: Path, two_weeks: TwoWeeks) -> Run:
    """The first week of `two_weeks`, in containers."""
    done = run_pipeline(two_weeks.history.before, root, runner=DOCKER)
    assert done.code == 0, done.stderr
    return done


def test_containers_publish_what_processes_publish(run: Run, root: Path, two_weeks: TwoWeeks) -> None:
    as_of = two_weeks.history.as_of
    own, other = (Volume(folder).read(PREDICTIONS, as_of).to_pandas() for folder in (root, two_weeks.root))

    exact = ["customer_id", "product_id", "rank", "selected", "model_version"]
    assert own[exact].equals(other[exact])
    assert (own["probability"] - other["probability"]).abs().max() <= 1e-9
    for table in (SCORING, TRAINING):
        assert Volume(root).read(table, as_of).equals(Volume(two_weeks.root).read(table, as_of))
    assert run.tasks == two_weeks.first.tasks
    assert aliases(root) == {"champion": "1"}


def test_containers_leave_nothing_but_the_volume(run: Run, root: Path) -> None:
    mounts = subprocess.run(
        ["docker", "ps", "--all", "--filter", "label=sodai.dag", "--format", "{{.Mounts}}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(root) not in mounts
    owner = root.stat()
    foreign = [path for path in root.rglob("*") if path.stat().st_uid != owner.st_uid]
    assert foreign == []
    assert task_states(root)[LOAD] == "skipped"


def test_every_stage_runs_alone_on_the_volume_of_a_run(
    run: Run, root: Path, two_weeks: TwoWeeks, tmp_path: Path
) -> None:
    as_of, copy = two_weeks.history.as_of, tmp_path / "volume"
    shutil.copytree(root, copy)
    for stage in STAGES:
        done = subprocess.run(
            [
                *("docker", "run", "--rm", "-v", f"{copy}:/data", "-u", f"{os.getuid()}:{os.getgid()}"),
                *(f"sodai/{stage}", "--as-of", str(as_of), "--force", *OPTIONS.get(stage, [])),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        result = json.loads(line)
        assert (result["stage"], result["status"], result["as_of"]) == (stage, "done", str(as_of))
        assert Volume(copy).read_json(run_record(stage), as_of)["result"] == result

    assert result["stage"] == METRICS
    assert Volume(copy).read(PREDICTIONS, as_of).num_rows == Volume(root).read(PREDICTIONS, as_of).num_rows
