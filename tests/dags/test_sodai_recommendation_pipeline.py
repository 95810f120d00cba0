"""The DAG as Airflow loads it: its tasks, edges, parameters, schedule and documentation."""

from typing import Any

import pytest

from dags.conftest import Airflow

EDGES = {
    ("start_pipeline", "extract_and_validate_data"),
    ("extract_and_validate_data", "create_features"),
    ("create_features", "detect_data_drift"),
    ("detect_data_drift", "retrain_model"),
    ("detect_data_drift", "load_existing_model"),
    ("retrain_model", "join_model_paths"),
    ("load_existing_model", "join_model_paths"),
    ("join_model_paths", "evaluate_model"),
    ("evaluate_model", "analyze_interpretability"),
    ("analyze_interpretability", "generate_predictions"),
    ("generate_predictions", "log_pipeline_metrics"),
    ("log_pipeline_metrics", "pipeline_complete"),
}
EMPTY = {"start_pipeline", "join_model_paths", "pipeline_complete"}
STAGES = {
    "extract_and_validate_data",
    "create_features",
    "detect_data_drift",
    "retrain_model",
    "load_existing_model",
    "evaluate_model",
    "analyze_interpretability",
    "generate_predictions",
    "log_pipeline_metrics",
}
SHARDS = "score_candidates"
MONDAY_MORNING = "0 6 * * 1"


@pytest.fixture(scope="module", params=["process", "docker"])
def dag(airflow: Airflow, request: pytest.FixtureRequest) -> dict[str, Any]:
    answer: dict[str, Any] = airflow.ask(
        "describe", {"SODAI_RUNNER": request.param, "SODAI_SCHEDULE": MONDAY_MORNING}
    )
    return {**answer, "runner": request.param}


def test_airflow_parses_the_file_of_the_dag_and_no_other(dag: dict[str, Any]) -> None:
    assert dag["files"] == ["sodai_recommendation_pipeline.py"]
    assert dag["import_errors"] == {}


def test_the_tasks_and_edges_are_those_of_the_design_and_no_others(dag: dict[str, Any]) -> None:
    assert set(dag["ids"]) == EMPTY | STAGES
    assert len(dag["ids"]) == 12
    assert {tuple(edge) for edge in dag["edges"]} == EDGES
    assert len(dag["edges"]) == 12


@pytest.fixture(scope="module", params=["process", "docker"])
def sharded(airflow: Airflow, request: pytest.FixtureRequest) -> dict[str, Any]:
    answer: dict[str, Any] = airflow.ask("describe", {"SODAI_RUNNER": request.param, "SODAI_SHARDS": "3"})
    return {**answer, "runner": request.param}


def test_shards_are_scored_between_explanation_and_publication(sharded: dict[str, Any]) -> None:
    assert sharded["import_errors"] == {}
    assert set(sharded["ids"]) == EMPTY | STAGES | {SHARDS}
    assert {tuple(edge) for edge in sharded["edges"]} == EDGES - {
        ("analyze_interpretability", "generate_predictions")
    } | {("analyze_interpretability", SHARDS), (SHARDS, "generate_predictions")}
    assert sharded["mapped"] == {SHARDS: {"shard": [0, 1, 2]}}


def test_a_shard_is_a_task_like_a_stage(sharded: dict[str, Any]) -> None:
    name = {"process": "Process", "docker": "Docker"}[sharded["runner"]]
    assert sharded["operators"][SHARDS] == f"{name}StageOperator"
    assert sharded["trigger_rules"][SHARDS] == "all_success"
    assert (sharded["retries"][SHARDS], sharded["timeouts"][SHARDS]) == (2, 3600)
    assert sharded["docs"][SHARDS].endswith(".")
    assert set(sharded["pools"].values()) == {"default_pool"}


def test_one_shard_is_no_task_of_its_own(dag: dict[str, Any]) -> None:
    assert dag["mapped"] == {}


def test_every_stage_runs_on_the_chosen_runner_and_the_drift_report_branches(dag: dict[str, Any]) -> None:
    name = {"process": "Process", "docker": "Docker"}[dag["runner"]]
    assert {task: dag["operators"][task] for task in EMPTY} == dict.fromkeys(EMPTY, "EmptyOperator")
    assert {task: dag["operators"][task] for task in STAGES} == {
        **dict.fromkeys(STAGES, f"{name}StageOperator"),
        "detect_data_drift": f"{name}BranchOperator",
    }


def test_the_join_needs_one_branch_and_every_other_task_all_tasks_before_it(
    dag: dict[str, Any],
) -> None:
    rules = dag["trigger_rules"]
    assert rules.pop("join_model_paths") == "none_failed_min_one_success"
    assert set(rules.values()) == {"all_success"}


def test_only_stages_are_retried_and_each_has_a_timeout(dag: dict[str, Any]) -> None:
    assert {task: dag["retries"][task] for task in STAGES} == dict.fromkeys(STAGES, 2)
    assert {task: dag["retries"][task] for task in EMPTY} == dict.fromkeys(EMPTY, 0)
    hours = {task: dag["timeouts"][task] / 3600 for task in STAGES}
    assert hours == {**dict.fromkeys(STAGES, 1), "create_features": 2, "retrain_model": 6}


def test_one_run_at_a_time_and_none_for_the_past(dag: dict[str, Any]) -> None:
    assert dag["max_active_runs"] == 1
    assert dag["catchup"] is False


def test_the_pipeline_and_every_task_are_documented(dag: dict[str, Any]) -> None:
    assert "reports/<as_of>/index.html" in dag["doc"]
    docs = dag["docs"]
    assert all(doc and len(doc) > 15 and doc.rstrip().endswith(".") for doc in docs.values()), docs
    assert len(set(docs.values())) == 12


def test_every_parameter_has_a_form_field_with_bounds(dag: dict[str, Any]) -> None:
    assert {name: (param["title"], param["default"]) for name, param in dag["params"].items()} == {
        "as_of": ("First day to predict", None),
        "horizon_days": ("Days to predict", 7),
        "trials": ("Optuna trials", 50),
        "force_retrain": ("Train again in any case", False),
        "force": ("Run even where nothing changed", False),
        "k": ("Products per customer", 10),
    }
    assert dag["params"]["as_of"]["format"] == "date"
    assert dag["params"]["as_of"]["type"] == ["null", "string"]
    assert dag["params"]["force_retrain"]["type"] == "boolean"
    bounds = {
        name: (param["type"], param["minimum"], param["maximum"])
        for name, param in dag["params"].items()
        if "minimum" in param
    }
    assert bounds == {
        "horizon_days": ("integer", 1, 28),
        "trials": ("integer", 1, 1000),
        "k": ("integer", 1, 100),
    }
    assert all(param["description"].endswith(".") for param in dag["params"].values())


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"as_of": "2025-01-06", "horizon_days": 28, "trials": 1000, "force_retrain": True, "k": 100},
        {"as_of": None, "horizon_days": 1, "trials": 1, "k": 1},
    ],
)
def test_airflow_accepts_parameters_within_their_bounds(airflow: Airflow, params: dict[str, Any]) -> None:
    assert airflow.ask("refusal", params=params) is None


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"as_of": "06/01/2025"}, "is not a 'date'"),
        ({"as_of": "2025-02-30"}, "is not a 'date'"),
        ({"horizon_days": 0}, "0 is less than the minimum of 1"),
        ({"horizon_days": 29}, "29 is greater than the maximum of 28"),
        ({"horizon_days": 7.5}, "7.5 is not of type 'integer'"),
        ({"trials": 1001}, "1001 is greater than the maximum of 1000"),
        ({"force_retrain": "no"}, "'no' is not of type 'boolean'"),
        ({"k": 0}, "0 is less than the minimum of 1"),
        ({"k": "10"}, "'10' is not of type 'integer'"),
    ],
)
def test_airflow_refuses_other_parameters(airflow: Airflow, params: dict[str, Any], reason: str) -> None:
    assert reason in airflow.ask("refusal", params=params)


def test_it_runs_on_monday_mornings_in_santiago(dag: dict[str, Any]) -> None:
    assert dag["schedule"] == MONDAY_MORNING
    assert dag["timetable"].startswith("CronTriggerTimetable(expression='0 6 * * 1'")
    assert "America/Santiago" in dag["timetable"]


def test_nothing_runs_before_the_next_monday_morning(dag: dict[str, Any]) -> None:
    assert dag["first_run_waits"]


@pytest.mark.parametrize(("setting", "schedule"), [("30 5 * * 2", "30 5 * * 2"), ("", None)])
def test_an_operator_changes_the_schedule_without_touching_code(
    airflow: Airflow, setting: str, schedule: str | None
) -> None:
    assert airflow.ask("describe", {"SODAI_SCHEDULE": setting})["schedule"] == schedule


def test_in_a_swarm_every_stage_is_a_service_and_the_drift_report_branches(airflow: Airflow) -> None:
    dag = airflow.ask("describe", {"SODAI_RUNNER": "swarm", "SODAI_SHARDS": "2"})
    assert dag["import_errors"] == {}
    operators = {task: dag["operators"][task] for task in STAGES | {SHARDS}}
    assert operators.pop("detect_data_drift") == "SwarmBranchOperator"
    assert set(operators.values()) == {"SwarmStageOperator"}
