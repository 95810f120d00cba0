"""Every way a stage may end on a Docker engine: the same for a container and for a service."""

import signal
from collections.abc import Iterator

import pytest

from dags.conftest import Airflow, Week
from dags.engine_runs import EXTRACT, FEATURES, Run, docker, run_on, swarm_of_this_engine
from support.week import files_of

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def swarm() -> Iterator[None]:
    with swarm_of_this_engine():
        yield


@pytest.fixture(params=["docker", "swarm"])
def run(request: pytest.FixtureRequest, airflow: Airflow, week: Week) -> Iterator[Run]:
    if request.param == "swarm":
        request.getfixturevalue("swarm")
    with run_on(airflow, week, request.param) as run:
        yield run


def test_an_expected_failure_is_the_stages_own_line_and_leaves_nothing(run: Run) -> None:
    (run.week.root / "raw/productos.parquet").unlink()
    before = files_of(run.week.root)

    outcome = run.execute(EXTRACT)

    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageFailed", True)
    assert outcome["message"].startswith(f"{EXTRACT}: ")
    assert "productos.parquet" in outcome["message"]
    assert "\n" not in outcome["message"]
    assert files_of(run.week.root) == before
    assert run.leftovers() == []


def test_a_container_killed_hard_is_retried_and_the_pipeline_continues(run: Run) -> None:
    before = files_of(run.week.root / "weeks")
    docker("kill", run.container_of(run.begin_in_the_middle()))

    assert run.airflow.answer() == {
        "error": "StageLost",
        "message": f"{FEATURES}: killed before writing a result; see the log above",
        "fails_without_retry": False,
    }
    assert files_of(run.week.root / "weeks") == before
    assert run.leftovers() == []

    assert run.execute(FEATURES, try_number=2)["result"]["status"] == "done"
    assert list((run.week.root / ".attempts").iterdir()) == []
    # There is no champion yet to compare these features with.
    assert run.execute("detect_data_drift") == {"skipped": ["load_existing_model"]}


def test_what_reaches_its_timeout_is_removed_and_fails_as_that(run: Run) -> None:
    run.begin_in_the_middle()
    run.airflow.process.send_signal(signal.SIGALRM)  # as the clock does
    assert run.airflow.answer() == {"error": "AirflowTaskTimeout"}
    assert run.leftovers() == []


def test_the_end_of_a_task_ends_and_removes_what_ran(run: Run) -> None:
    before = files_of(run.week.root / "weeks")
    run.begin_in_the_middle()
    run.airflow.process.terminate()

    outcome = run.airflow.answer()
    assert (outcome["error"], outcome["fails_without_retry"]) == ("StageLost", False)
    assert run.leftovers() == []
    assert files_of(run.week.root / "weeks") == before
