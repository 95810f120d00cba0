"""Stages as services of a swarm: results, limits, and every way in which a service may end."""

import json
import signal
from collections.abc import Iterator

import pytest

from dags.conftest import PARAMS, Airflow, Week
from dags.engine_runs import DAG_ID, EXTRACT, FEATURES, GIB, Run, docker, run_on
from made_week import files_of
from sodai_resources import resources_of

pytestmark = pytest.mark.docker
BRIDGE = "docker_gwbridge"


@pytest.fixture(scope="module", autouse=True)
def swarm() -> Iterator[None]:
    """A swarm of this engine alone, unless it is in one already; the engine is as before afterwards."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "active":
        yield
        return
    before = networks()
    docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    yield
    docker("swarm", "leave", "--force")
    # Leaving takes the network of the services along, but not the bridge that joined them to this host.
    if BRIDGE in networks() - before:
        docker("network", "rm", BRIDGE)


def networks() -> set[str]:
    return set(docker("network", "ls", "--format", "{{.Name}}").split())


@pytest.fixture
def run(airflow: Airflow, week: Week) -> Iterator[Run]:
    with run_on(airflow, week, "swarm") as started:
        yield started


def container_of(service: str) -> str:
    """The container that runs a service."""
    whole = docker("service", "inspect", "--format", "{{.ID}}", service).strip()
    (found,) = docker("ps", "--quiet", "--filter", f"label=com.docker.swarm.service.id={whole}").split()
    return found


def test_a_service_gives_its_result_and_its_log_and_is_gone(run: Run) -> None:
    earlier = run.airflow.log.read_text()
    outcome = run.execute(FEATURES)
    log = run.airflow.log.read_text().removeprefix(earlier)

    assert (outcome["result"]["status"], outcome["result"]["as_of"]) == ("done", run.week.as_of)
    assert f"{FEATURES} INFO training period " in log
    assert f"period to predict: {run.week.as_of}, result: {outcome['result']}" in log
    assert run.left() == []


def test_an_expected_failure_is_the_stages_own_line_and_leaves_no_service(run: Run) -> None:
    (run.week.root / "raw/productos.parquet").unlink()
    before = files_of(run.week.root)

    outcome = run.execute(EXTRACT)

    assert (outcome["error"], outcome["fails_at_once"]) == ("StageFailed", True)
    assert outcome["message"].startswith(f"{EXTRACT}: ")
    assert "productos.parquet" in outcome["message"]
    assert files_of(run.week.root) == before
    assert run.left() == []


def test_a_service_may_use_no_more_than_its_table_says(run: Run) -> None:
    service = run.begin_in_the_middle()
    template = json.loads(docker("service", "inspect", service))[0]["Spec"]["TaskTemplate"]
    host = json.loads(docker("inspect", container_of(service)))[0]["HostConfig"]
    docker("service", "rm", service)
    outcome = run.airflow.answer()

    assert (outcome["error"], outcome["fails_at_once"]) == ("StageLost", False)
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


def test_a_service_whose_container_is_killed_hard_is_tried_again(run: Run) -> None:
    before = files_of(run.week.root / "weeks")
    docker("kill", container_of(run.begin_in_the_middle()))

    assert run.airflow.answer() == {
        "error": "StageLost",
        "message": f"{FEATURES}: killed without a result; the log above has its last words",
        "fails_at_once": False,
    }
    assert files_of(run.week.root / "weeks") == before
    assert run.left() == []
    assert run.execute(FEATURES, try_number=2)["result"]["status"] == "done"


def test_a_service_that_reaches_its_timeout_is_removed_and_fails_as_that(run: Run) -> None:
    run.begin_in_the_middle()
    run.airflow.process.send_signal(signal.SIGALRM)  # as the clock does
    assert run.airflow.answer() == {"error": "AirflowTaskTimeout"}
    assert run.left() == []


def test_the_end_of_a_task_ends_and_removes_the_service(run: Run) -> None:
    before = files_of(run.week.root / "weeks")
    run.begin_in_the_middle()
    run.airflow.process.terminate()

    outcome = run.airflow.answer()
    assert (outcome["error"], outcome["fails_at_once"]) == ("StageLost", False)
    assert run.left() == []
    assert files_of(run.week.root / "weeks") == before


def test_the_service_of_an_earlier_try_is_removed_first_and_no_other(run: Run) -> None:
    def left_service(task: str) -> str:
        labels = {"sodai.dag": DAG_ID, "sodai.run": run.run_id, "sodai.task": task, "sodai.map_index": "-1"}
        options = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
        return docker("service", "create", "--quiet", "--detach", "--replicas", "0", *options,
                      f"sodai/{EXTRACT}").strip()[:12]  # fmt: skip

    own, other = left_service(FEATURES), left_service(EXTRACT)
    assert set(run.left()) == {own, other}

    outcome = run.execute(FEATURES, params={**PARAMS, "horizon_days": 29}, try_number=2)

    assert outcome["message"] == f"{FEATURES}: refused its arguments; the log above says which"
    assert run.left() == [other]


def test_an_image_that_no_host_has_is_told_with_its_name(run: Run) -> None:
    outcome = run.execute(EXTRACT, env={"SODAI_IMAGE_TAG": "never"})
    assert (outcome["error"], outcome["fails_at_once"]) == ("StageLost", False)
    assert f"sodai/{EXTRACT}:never" in outcome["message"]
    assert run.left() == []
