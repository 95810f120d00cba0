"""Stages as containers: the owner of their files, their limits, their memory, containers of earlier tries."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dags.conftest import PARAMS, Airflow, Week
from dags.engine_runs import DAG_ID, EXTRACT, FEATURES, GIB, Run, docker, run_on
from sodai_dag.resources import resources_of
from support.week import files_of

pytestmark = pytest.mark.docker


@pytest.fixture
def run(airflow: Airflow, week: Week) -> Iterator[Run]:
    with run_on(airflow, week, "docker") as run:
        yield run


def leave_container(run: Run, stage: str, **labels: str) -> str:
    """Start a container as the worker of an earlier try leaves it when it is killed."""
    own = {
        "sodai.dag": DAG_ID,
        "sodai.run": run.run_id,
        "sodai.task": stage,
        "sodai.map_index": "-1",
        "sodai.try": "1",
        **labels,
    }
    options = [word for name, value in own.items() for word in ("--label", f"{name}={value}")]
    return docker("run", "--detach", *options, "--entrypoint", "sleep", f"sodai/{stage}", "300").strip()[:12]


def owners(root: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in [root, *root.rglob("*")]}


def test_a_container_returns_its_result_and_its_files_belong_to_the_owner_of_the_folder(run: Run) -> None:
    before = owners(run.week.root)
    assert len(before) == 1
    written = run.week.root / "weeks" / run.week.as_of / EXTRACT
    shutil.rmtree(written)

    outcome = run.execute(EXTRACT)

    assert (outcome["result"]["status"], outcome["result"]["as_of"]) == ("done", run.week.as_of)
    assert {"customers.parquet", "products.parquet", "run.json"} <= set(files_of(written))
    assert owners(run.week.root) == before
    assert run.leftovers() == []


def test_a_container_may_use_no_more_than_its_table_says(run: Run) -> None:
    container = run.begin_in_the_middle()
    inspected = json.loads(docker("inspect", container))[0]
    docker("kill", container)
    run.airflow.answer()

    limits, host = resources_of(FEATURES), inspected["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 6 * GIB == limits.memory_gib * GIB
    assert host["NanoCpus"] == 2 * 10**9 == limits.cpus * 10**9
    assert host["PidsLimit"] == 512 == limits.processes
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False
    assert host["NetworkMode"] == "none"
    assert list(host["Tmpfs"]) == ["/tmp"]
    mounts = [(mount["Source"], mount["Destination"], mount["RW"]) for mount in inspected["Mounts"]]
    assert mounts == [(str(run.week.root), "/data", True)]
    assert inspected["Config"]["User"] == "{0.st_uid}:{0.st_gid}".format(run.week.root.stat())
    assert {name: value for name, value in inspected["Config"]["Labels"].items() if "sodai." in name} == {
        "sodai.dag": DAG_ID,
        "sodai.run": run.run_id,
        "sodai.task": FEATURES,
        "sodai.map_index": "-1",
        "sodai.try": "1",
    }


def test_a_container_is_on_a_network_where_its_registry_is_a_server(run: Run) -> None:
    container = run.begin_in_the_middle({"MLFLOW_TRACKING_URI": "http://models.example:5000"})
    network = docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", container).strip()
    docker("kill", container)
    run.airflow.answer()
    assert network == "bridge"


def test_a_container_that_is_removed_by_hand_is_lost(run: Run) -> None:
    docker("rm", "--force", run.begin_in_the_middle())
    outcome = run.airflow.answer()
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    assert outcome["message"].startswith(f"{FEATURES}: ")


def test_a_stage_without_enough_memory_says_so_and_is_retried(run: Run) -> None:
    before = files_of(run.week.root / "weeks")
    outcome = run.execute(FEATURES, limits={"memory_gib": 0.0625})
    assert outcome == {
        "error": "StageOutOfMemory",
        "message": f"{FEATURES}: out of memory; raise memory_gib in dags/sodai_dag/resources.py",
        "fails_without_retry": False,
    }
    assert files_of(run.week.root / "weeks") == before
    assert run.leftovers() == []


def test_the_try_after_one_without_enough_memory_gets_more_and_says_so(run: Run) -> None:
    limits = {"memory_gib": 0.0625, "max_memory_gib": 0.09375}
    assert run.execute(FEATURES, limits=limits)["error"] == "StageOutOfMemory"

    outcome = run.execute(FEATURES, limits=limits, try_number=2)

    # 1.5 times 64 MiB is the maximum, and not enough either.
    assert outcome == {
        "error": "StageFailed",
        "message": f"{FEATURES}: out of memory; raise memory_gib in dags/sodai_dag/resources.py; "
        "it had 0.09375 GiB, its max_memory_gib",
        "fails_without_retry": True,
    }
    warning = "the previous try ran out of memory: this one gets 0.09375 GiB, at most 0.09375"
    assert warning in run.airflow.log.read_text()


def test_a_raised_limit_counts_for_the_next_try(run: Run) -> None:
    assert run.execute(FEATURES, limits={"memory_gib": 0.0625})["error"] == "StageOutOfMemory"
    # The limit was raised between the tries, beyond what the first try set for the second.
    outcome = run.execute(FEATURES, limits={"memory_gib": 4.0}, try_number=2)
    assert outcome["result"]["status"] == "done"


def test_the_container_of_an_earlier_try_is_removed_first_and_no_other(run: Run) -> None:
    own = leave_container(run, FEATURES)
    others = {
        leave_container(run, FEATURES, **{"sodai.task": EXTRACT}),
        leave_container(run, FEATURES, **{"sodai.dag": "other"}),
        leave_container(run, FEATURES, **{"sodai.map_index": "1"}),
    }
    assert set(run.leftovers()) == {own, *others}

    outcome = run.execute(FEATURES, params={**PARAMS, "horizon_days": 29}, try_number=2)

    assert outcome["message"] == f"{FEATURES}: refused its arguments; see the log above"
    assert set(run.leftovers()) == others


def test_an_engine_that_does_not_answer_is_retried(run: Run) -> None:
    outcome = run.execute(EXTRACT, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    assert outcome["message"].startswith(f"{EXTRACT}: Docker engine: ")


def test_a_missing_image_is_reported_with_its_name(run: Run) -> None:
    outcome = run.execute(EXTRACT, env={"SODAI_IMAGE_TAG": "never"})
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)
    assert outcome["message"] == f"{EXTRACT}: image sodai/{EXTRACT}:never is missing; run make images"
