"""The table of run parameters: the arguments that it gives to stages parse with each stage's own command."""

from typing import Any

import pytest

from dags.commands import parse_arguments
from dags.conftest import Airflow
from sodai.data.catalog import STAGES as SHARED_STAGES
from sodai_dag.parameters import RUN_PARAMETERS, stage_arguments
from sodai_dag.stages import PREDICT, STAGES, branch_of
from support.staged_run import render

AS_OF = "2025-01-06"
DEFAULTS = {"horizon_days": 7, "trials": 50, "force_retrain": False, "force": False, "k": 10}
OTHERS = {"horizon_days": 5, "trials": 3, "force_retrain": True, "force": True, "k": 4}
# By hand, from the parameters that each stage's own option takes.
EXPECTED_OF_OTHERS: dict[str, dict[str, Any]] = {
    "extract_and_validate_data": {"as_of": AS_OF, "force": True},
    "create_features": {"as_of": AS_OF, "force": True, "horizon_days": 5},
    "detect_data_drift": {"as_of": AS_OF, "force": True, "horizon_days": 5, "force_retrain": True},
    "retrain_model": {"as_of": AS_OF, "force": True, "horizon_days": 5, "trials": 3},
    "load_existing_model": {"as_of": AS_OF, "force": True, "horizon_days": 5},
    "evaluate_model": {"as_of": AS_OF, "force": True, "horizon_days": 5, "k": 4},
    "analyze_interpretability": {"as_of": AS_OF, "force": True, "k": 4},
    "generate_predictions": {"as_of": AS_OF, "force": True, "horizon_days": 5, "k": 4},
    "log_pipeline_metrics": {"as_of": AS_OF, "force": True},
}
BOUNDED = [parameter for parameter in RUN_PARAMETERS if parameter.type == "integer"]


def rendered(stage: str, params: dict[str, Any], as_of: str = AS_OF) -> list[str]:
    return render(stage_arguments(stage), as_of, params)


def test_there_are_arguments_for_every_stage_of_the_volume() -> None:
    assert set(STAGES) == set(SHARED_STAGES) == set(EXPECTED_OF_OTHERS)


def test_the_parameters_have_the_defaults_that_are_documented() -> None:
    assert {parameter.name: parameter.default for parameter in RUN_PARAMETERS} == {"as_of": None, **DEFAULTS}


@pytest.mark.parametrize("stage", STAGES)
def test_the_arguments_of_a_stage_parse_with_its_own_command(stage: str) -> None:
    assert parse_arguments(stage, rendered(stage, OTHERS)) == EXPECTED_OF_OTHERS[stage]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("bound", ["minimum", "maximum"])
def test_a_stage_accepts_the_bounds_of_a_parameter(stage: str, bound: str) -> None:
    bounds = {parameter.name: getattr(parameter, bound) for parameter in BOUNDED}
    options = parse_arguments(stage, rendered(stage, {**DEFAULTS, **bounds}))
    assert {name: options[name] for name in bounds.keys() & options} == {
        name: bounds[name] for name in bounds.keys() & EXPECTED_OF_OTHERS[stage]
    }


def test_the_first_stage_finds_the_period_where_none_is_given() -> None:
    stage = "extract_and_validate_data"
    assert parse_arguments(stage, rendered(stage, DEFAULTS, "auto")) == {"as_of": "auto", "force": False}


@pytest.mark.parametrize("runner", ["process", "docker"])
@pytest.mark.parametrize("params", [DEFAULTS, OTHERS], ids=["defaults", "others"])
def test_airflow_renders_what_stages_get_without_airflow(
    airflow: Airflow, runner: str, params: dict[str, Any]
) -> None:
    answer = airflow.ask("render", {"SODAI_RUNNER": runner}, as_of=AS_OF, params={"as_of": AS_OF, **params})
    assert answer == {stage: rendered(stage, params) for stage in STAGES}


@pytest.mark.parametrize("runner", ["process", "docker"])
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_period_is_found_by_the_first_stage_and_given_to_the_others(
    airflow: Airflow, runner: str, empty: str | None
) -> None:
    answer = airflow.ask("render", {"SODAI_RUNNER": runner}, as_of=AS_OF, params={"as_of": empty, **DEFAULTS})
    assert answer["extract_and_validate_data"] == ["--as-of", "auto", "--no-force"]
    assert {arguments[1] for stage, arguments in answer.items() if stage != "extract_and_validate_data"} == {
        AS_OF
    }


def test_shards_and_the_step_that_joins_them_parse_with_the_command_of_the_stage() -> None:
    def options(*shard: int) -> dict[str, Any]:
        return parse_arguments(PREDICT, render(stage_arguments(PREDICT, *shard), AS_OF, OTHERS))

    assert options(3, 1) == {**EXPECTED_OF_OTHERS[PREDICT], "shards": 3, "shard": 1}
    assert options(3) == {**EXPECTED_OF_OTHERS[PREDICT], "shards": 3}
    assert options(1) == EXPECTED_OF_OTHERS[PREDICT]


@pytest.mark.parametrize("runner", ["process", "docker"])
def test_airflow_renders_the_arguments_of_shards(airflow: Airflow, runner: str) -> None:
    answer = airflow.ask(
        "render",
        {"SODAI_RUNNER": runner, "SODAI_SHARDS": "3"},
        as_of=AS_OF,
        params={**OTHERS, "as_of": AS_OF},
        shard=2,
    )
    assert parse_arguments(PREDICT, answer["score_candidates"]) == {
        **EXPECTED_OF_OTHERS[PREDICT], "shards": 3, "shard": 2
    }  # fmt: skip
    alone = {stage: rendered(stage, OTHERS) for stage in STAGES}
    assert {stage: answer[stage] for stage in STAGES} == {
        **alone, PREDICT: [*alone[PREDICT], "--shards", "3"]
    }  # fmt: skip


def test_every_argument_is_a_whole_word_so_that_no_shell_is_needed() -> None:
    for stage in STAGES:
        assert all(" " not in argument for argument in rendered(stage, OTHERS))
        assert len(rendered(stage, OTHERS)) == len(stage_arguments(stage))


@pytest.mark.parametrize("branch", ["retrain_model", "load_existing_model"])
def test_the_branch_is_the_one_of_the_decision(branch: str) -> None:
    assert branch_of({"branch": branch}) == branch


@pytest.mark.parametrize(
    "result", [{}, {"branch": None}, {"branch": "evaluate_model"}, {"branch": ["retrain_model"]}]
)
def test_a_branch_that_is_none_of_the_two_is_an_error_and_no_choice(result: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"found branch .*, expected retrain_model or load_existing_model"):
        branch_of(result)
