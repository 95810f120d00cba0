"""The arguments that the DAG gives to stages parse with each stage's own command line."""

from typing import Any

import pytest

from dags.commands import parsed
from dags.conftest import Airflow
from sodai.data.catalog import STAGES as SHARED_STAGES
from sodai_arguments import BOUNDS, PREDICT, STAGES, branch_of, rendered_arguments, stage_arguments

AS_OF = "2025-01-06"
USUAL = {"horizon_days": 7, "trials": 50, "force_retrain": False, "force": False, "k": 10}
OTHER = {"horizon_days": 5, "trials": 3, "force_retrain": True, "force": True, "k": 4}
# By hand, from the parameters that each stage's own option takes.
EXPECTED_OF_OTHER: dict[str, dict[str, Any]] = {
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


def test_there_are_arguments_for_every_stage_of_the_volume() -> None:
    assert set(STAGES) == set(SHARED_STAGES) == set(EXPECTED_OF_OTHER)


@pytest.mark.parametrize("stage", STAGES)
def test_the_arguments_of_a_stage_parse_with_its_own_command_line(stage: str) -> None:
    assert parsed(stage, rendered_arguments(stage, AS_OF, OTHER)) == EXPECTED_OF_OTHER[stage]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("bound", ["minimum", "maximum"])
def test_a_stage_takes_the_least_and_the_most_that_a_run_may_ask_for(stage: str, bound: str) -> None:
    asked = {name: bounds[bound] for name, bounds in BOUNDS.items()}
    found = parsed(stage, rendered_arguments(stage, AS_OF, {**USUAL, **asked}))
    assert {name: found[name] for name in asked.keys() & found} == {
        name: asked[name] for name in asked.keys() & EXPECTED_OF_OTHER[stage]
    }


def test_the_first_stage_finds_the_period_where_none_is_given() -> None:
    assert parsed(
        "extract_and_validate_data", rendered_arguments("extract_and_validate_data", "auto", USUAL)
    ) == {"as_of": "auto", "force": False}


@pytest.mark.parametrize("runner", ["process", "docker"])
@pytest.mark.parametrize("params", [USUAL, OTHER], ids=["usual", "other"])
def test_airflow_renders_what_stages_get_without_airflow(
    airflow: Airflow, runner: str, params: dict[str, Any]
) -> None:
    rendered = airflow.ask("render", {"SODAI_RUNNER": runner}, as_of=AS_OF, params={"as_of": AS_OF, **params})
    assert rendered == {stage: rendered_arguments(stage, AS_OF, params) for stage in STAGES}


@pytest.mark.parametrize("runner", ["process", "docker"])
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_period_is_found_by_the_first_stage_and_given_to_the_others(
    airflow: Airflow, runner: str, empty: str | None
) -> None:
    rendered = airflow.ask("render", {"SODAI_RUNNER": runner}, as_of=AS_OF, params={"as_of": empty, **USUAL})
    assert rendered["extract_and_validate_data"] == ["--as-of", "auto", "--no-force"]
    assert {
        arguments[1] for stage, arguments in rendered.items() if stage != "extract_and_validate_data"
    } == {AS_OF}


def test_shards_and_the_step_that_joins_them_parse_with_the_command_line_of_the_stage() -> None:
    filled = dict(zip(stage_arguments(PREDICT), rendered_arguments(PREDICT, AS_OF, OTHER), strict=True))

    def options(*parts: int) -> dict[str, Any]:
        return parsed(PREDICT, [filled.get(word, word) for word in stage_arguments(PREDICT, *parts)])

    assert options(3, 1) == {**EXPECTED_OF_OTHER[PREDICT], "shards": 3, "shard": 1}
    assert options(3) == {**EXPECTED_OF_OTHER[PREDICT], "shards": 3}
    assert options(1) == EXPECTED_OF_OTHER[PREDICT]


@pytest.mark.parametrize("runner", ["process", "docker"])
def test_airflow_renders_the_arguments_of_shards(airflow: Airflow, runner: str) -> None:
    rendered = airflow.ask(
        "render",
        {"SODAI_RUNNER": runner, "SODAI_SHARDS": "3"},
        as_of=AS_OF,
        params={**OTHER, "as_of": AS_OF},
        shard=2,
    )
    assert parsed(PREDICT, rendered["score_candidates"]) == {
        **EXPECTED_OF_OTHER[PREDICT], "shards": 3, "shard": 2
    }  # fmt: skip
    alone = {stage: rendered_arguments(stage, AS_OF, OTHER) for stage in STAGES}
    assert {stage: rendered[stage] for stage in STAGES} == {
        **alone, PREDICT: [*alone[PREDICT], "--shards", "3"]
    }  # fmt: skip


def test_every_argument_is_a_whole_word_so_that_no_shell_is_needed() -> None:
    for stage in STAGES:
        assert all(" " not in argument for argument in rendered_arguments(stage, AS_OF, OTHER))
        assert len(rendered_arguments(stage, AS_OF, OTHER)) == len(stage_arguments(stage))


@pytest.mark.parametrize("branch", ["retrain_model", "load_existing_model"])
def test_the_branch_is_the_one_of_the_decision(branch: str) -> None:
    assert branch_of({"branch": branch}) == branch


@pytest.mark.parametrize(
    "result", [{}, {"branch": None}, {"branch": "evaluate_model"}, {"branch": ["retrain_model"]}]
)
def test_a_branch_that_is_none_of_the_two_is_an_error_and_no_choice(result: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"found branch .*, expected retrain_model or load_existing_model"):
        branch_of(result)
