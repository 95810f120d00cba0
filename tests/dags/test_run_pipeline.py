"""What `make run` asks of Airflow, and what it tells of a run from what Airflow logs."""

from pathlib import Path

import pytest

from run_pipeline import _check_settings, _engine_answers, _migration, _parse, _show
from sodai_arguments import BOUNDS
from support.path_commands import put_command

PERIOD = "period to predict: 2018-01-01, result: {'as_of': '2018-01-01'}"


def one_try(task: str, *said: str, map_index: int = -1) -> list[str]:
    """What `airflow dags test` logs of a try of a task."""
    told = f"task_id={task} map_index={map_index} [airflow.sdk.definitions.dag]"
    return [
        f"[DAG TEST] starting {told} loc=dag.py:1501",
        *said,
        f"[DAG TEST] end task {told} loc=dag.py:1563",
    ]


def test_a_task_that_was_lost_and_done_again_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    lost = (
        "sodai_results.StageLost: create_features: killed without a result; the log above has its last words"
    )
    lines = [*one_try("create_features", lost), *one_try("create_features", PERIOD)]

    assert _show(iter(lines)) == ("2018-01-01", None)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(" s  failed")
    assert second.endswith(" s")


def test_the_error_is_that_of_the_task_whose_last_try_failed() -> None:
    lines = [
        *one_try("score_candidates", "sodai_results.StageLost: generate_predictions: killed", map_index=0),
        *one_try(
            "score_candidates", "sodai_results.StageFailed: generate_predictions: no model", map_index=1
        ),
        *one_try("score_candidates", PERIOD, map_index=0),
    ]

    assert _show(iter(lines)) == ("2018-01-01", "generate_predictions: no model")


def test_of_an_error_with_its_cause_the_error_is_told() -> None:
    cause = "sodai_results.StageOutOfMemory: retrain_model: killed for its memory"
    error = (
        "sodai_results.StageFailed: retrain_model: killed for its memory; it had 16 GiB, its max_memory_gib"
    )

    _, told = _show(iter(one_try("retrain_model", cause, error)))

    assert told == "retrain_model: killed for its memory; it had 16 GiB, its max_memory_gib"


@pytest.mark.parametrize("stamp", [None, "", "3.2.0"])
def test_a_database_of_another_airflow_is_migrated(tmp_path: Path, stamp: str | None) -> None:
    if stamp is not None:
        (tmp_path / "migrated").write_text(stamp)

    assert _migration(tmp_path, "3.3.2") == [["airflow", "db", "migrate"]]


def test_a_database_of_the_same_airflow_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "migrated").write_text("3.3.2")

    assert _migration(tmp_path, "3.3.2") == []


def test_an_interpreter_that_is_none_is_told_before_airflow_starts(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "python")
    with pytest.raises(ValueError, match=f"SODAI_PYTHON: found {nowhere}, expected the interpreter"):
        _check_settings({"SODAI_RUNNER": "process", "SODAI_PYTHON": nowhere})


@pytest.mark.parametrize(
    ("option", "found", "expected"),
    [
        ("--horizon", "0", "a whole number from 1 to 28"),
        ("--horizon", "29", "a whole number from 1 to 28"),
        ("--horizon", "7.5", "a whole number from 1 to 28"),
        ("--trials", "0", "a whole number from 1 to 1000"),
        ("--trials", "1001", "a whole number from 1 to 1000"),
        ("--k", "ten", "a whole number from 1 to 100"),
        ("--as-of", "2025-1-6", "a day such as 2025-01-06"),
    ],
)
def test_an_option_out_of_its_bounds_is_told_with_them(
    capsys: pytest.CaptureFixture[str], option: str, found: str, expected: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        _parse(["--runner", "docker", option, found])
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith(f": error: argument {option}: found {found}, expected {expected}")


@pytest.mark.parametrize("bound", ["minimum", "maximum"])
def test_an_option_may_be_what_airflows_form_takes(bound: str) -> None:
    least_or_most = {name: bounds[bound] for name, bounds in BOUNDS.items()}
    horizon, trials, k = (str(least_or_most[name]) for name in ("horizon_days", "trials", "k"))
    options = _parse(["--runner", "docker", "--horizon", horizon, "--trials", trials, "--k", k])
    assert {"horizon_days": options.horizon, "trials": options.trials, "k": options.k} == least_or_most


@pytest.mark.parametrize(
    ("docker", "answers"),
    [("", True), ("exit 1", False), ('[ "$1" != buildx ] || exit 1', False), (None, False)],
)
def test_an_engine_without_buildx_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: str | None, answers: bool
) -> None:
    if docker is not None:
        put_command(tmp_path, "docker", docker)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _engine_answers() == answers
