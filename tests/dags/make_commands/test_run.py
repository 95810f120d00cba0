"""The options of `make run`, and what it checks before Airflow starts."""

from pathlib import Path

import pytest

from make_commands.run import _check_interpreter, _engine_answers, _parse, needs_migration
from sodai_dag.parameters import RUN_PARAMETERS
from sodai_dag.settings import settings_from
from support.path_commands import put_command


@pytest.mark.parametrize("stamp", [None, "", "3.2.0"])
def test_a_database_of_another_airflow_is_migrated(tmp_path: Path, stamp: str | None) -> None:
    if stamp is not None:
        (tmp_path / "migrated").write_text(stamp)

    assert needs_migration(tmp_path, "3.3.2")


def test_a_database_of_the_same_airflow_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "migrated").write_text("3.3.2")

    assert not needs_migration(tmp_path, "3.3.2")


def test_a_missing_interpreter_is_reported_before_airflow_starts(tmp_path: Path) -> None:
    missing = str(tmp_path / "python")
    settings = settings_from({"SODAI_RUNNER": "process", "SODAI_PYTHON": missing})
    with pytest.raises(ValueError, match=f"SODAI_PYTHON: found {missing}, expected the interpreter"):
        _check_interpreter(settings)


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
def test_a_value_out_of_bounds_is_refused_with_the_bounds(
    capsys: pytest.CaptureFixture[str], option: str, found: str, expected: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        _parse(["--runner", "docker", option, found])
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(f": error: argument {option}: found {found}, expected {expected}")


@pytest.mark.parametrize("bound", ["minimum", "maximum"])
def test_an_option_accepts_the_bounds_of_airflows_form(bound: str) -> None:
    parameters = [parameter for parameter in RUN_PARAMETERS if parameter.type == "integer"]
    bounds = {parameter.name: getattr(parameter, bound) for parameter in parameters}
    words = [word for each in parameters for word in (each.option, str(bounds[each.name]))]
    options = vars(_parse(["--runner", "docker", *words]))
    assert {name: options[name] for name in bounds} == bounds
    assert set(bounds) == {"horizon_days", "trials", "k"}


def test_without_options_a_run_has_the_defaults_of_the_table() -> None:
    options = vars(_parse(["--runner", "docker"]))
    assert {parameter.name: options[parameter.name] for parameter in RUN_PARAMETERS} == {
        parameter.name: parameter.default for parameter in RUN_PARAMETERS
    }


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
