"""Stages as services of a swarm: their log, their limits, services of earlier tries."""

import json
from collections.abc import Iterator

import pytest

from dags.conftest import PARAMS, Airflow, Week
from dags.engine_runs import DAG_ID, EXTRACT, FEATURES, GIB, Run, docker, run_on, swarm_of_this_engine
from sodai_dag.resources import resources_of

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module", autouse=True)
def swarm() -> Iterator[None]:
    with swarm_of_this_engine():
        yield


@pytest.fixture
def run(airflow: Airflow, week: Week) -> Iterator[Run]:
    with run_on(airflow, week, "swarm") as run:
        yield run


def test_a_service_returns_its_result_and_its_log_and_is_removed(run: Run) -> None:
    earlier = run.airflow.log.read_text()
    outcome = run.execute(FEATURES)
    log = run.airflow.log.read_text().removeprefix(earlier)

    assert (outcome["result"]["status"], outcome["result"]["as_of"]) == ("done", run.week.as_of)
    assert f"{FEATURES} INFO training period " in log
    assert f"result: {outcome['result']}" in log
    assert run.leftovers() == []


def test_a_service_may_use_no_more_than_its_table_says(run: Run) -> None:
    service = run.begin_in_the_middle()
    template = json.loads(docker("service", "inspect", service))[0]["Spec"]["TaskTemplate"]
    host = json.loads(docker("inspect", run.container_of(service)))[0]["HostConfig"]
    docker("service", "rm", service)
    outcome = run.airflow.answer()

    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    limits, spec = resources_of(FEATURES), template["ContainerSpec"]
    assert template["Resources"]["Limits"] == {
        "MemoryBytes": limits.memory_gib * GIB,
        "NanoCPUs": limits.cpus * 10**9,
    }
    assert (host["Memory"], host["NanoCpus"]) == (limits.memory_gib * GIB, limits.cpus * 10**9)
    assert template["RestartPolicy"]["Condition"] == "none"
    assert spec["ReadOnly"] is host["ReadonlyRootfs"] is True
    assert spec["CapabilityDrop"] == host["CapDrop"] == ["ALL"]
    assert spec["User"] == "{0.st_uid}:{0.st_gid}".format(run.week.root.stat())
    assert [(mount["Target"], mount["Type"]) for mount in spec["Mounts"]] == [
        ("/data", "bind"),
        ("/tmp", "tmpfs"),
    ]


def test_the_service_of_an_earlier_try_is_removed_first_and_no_other(run: Run) -> None:
    def leave_service(task: str) -> str:
        labels = {"sodai.dag": DAG_ID, "sodai.run": run.run_id, "sodai.task": task, "sodai.map_index": "-1"}
        options = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        return docker("service", "create", "--quiet", "--detach", "--replicas", "0", *options,
                      f"sodai/{EXTRACT}").strip()[:12]  # fmt: skip

    own, other = leave_service(FEATURES), leave_service(EXTRACT)
    assert set(run.leftovers()) == {own, other}

    outcome = run.execute(FEATURES, params={**PARAMS, "horizon_days": 29}, try_number=2)

    assert outcome["message"] == f"{FEATURES}: refused its arguments; see the log above"
    assert run.leftovers() == [other]


def test_an_image_that_no_host_has_is_reported_with_its_name(run: Run) -> None:
    outcome = run.execute(EXTRACT, env={"SODAI_IMAGE_TAG": "never"})
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    assert f"sodai/{EXTRACT}:never" in outcome["message"]
    assert run.leftovers() == []
