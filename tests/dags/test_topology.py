"""The DAG as Airflow loads it: its tasks, edges, parameters, schedule and documentation."""

from typing import Any

import pytest

from dags.conftest import Airflow
from sodai_resources import RESOURCES, Resources, resources_of
from sodai_settings import schedule_from, settings_from

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
    described: dict[str, Any] = airflow.ask(
        "describe", {"SODAI_RUNNER": request.param, "SODAI_SCHEDULE": MONDAY_MORNING}
    )
    return {**described, "runner": request.param}


def test_no_file_of_the_folder_fails_to_import(dag: dict[str, Any]) -> None:
    assert dag["import_errors"] == {}


def test_the_tasks_and_edges_are_those_of_the_design_and_no_others(dag: dict[str, Any]) -> None:
    assert set(dag["ids"]) == EMPTY | STAGES
    assert len(dag["ids"]) == 12
    assert {tuple(edge) for edge in dag["edges"]} == EDGES
    assert len(dag["edges"]) == 12


@pytest.fixture(scope="module", params=["process", "docker"])
def sharded(airflow: Airflow, request: pytest.FixtureRequest) -> dict[str, Any]:
    described: dict[str, Any] = airflow.ask("describe", {"SODAI_RUNNER": request.param, "SODAI_SHARDS": "3"})
    return {**described, "runner": request.param}


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


@pytest.mark.parametrize("shards", ["0", "-1", "two", "1.5", "1001"])
def test_a_number_of_shards_that_is_none_is_one_line(shards: str) -> None:
    with pytest.raises(ValueError, match=f"SODAI_SHARDS: found '{shards}', expected a number from 1 to 1000"):
        settings_from({"SODAI_SHARDS": shards})


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ({"SODAI_ENGINE": "polars"}, "SODAI_ENGINE: found 'polars', expected duckdb or spark"),
        (
            {"SODAI_ENGINE": "spark", "SODAI_SPARK": "sc://host", "SODAI_SHARDS": "2"},
            "SODAI_SHARDS: found 2 beside",
        ),
        (
            {"SODAI_ENGINE": "spark", "SODAI_SPARK": "sc://host", "SODAI_VOLUME": "s3://bucket/prefix"},
            "SODAI_ENGINE: found spark beside SODAI_VOLUME=s3://bucket/prefix",
        ),
        ({"SODAI_ENGINE": "spark"}, "SODAI_SPARK: found '', expected a Spark Connect server such as sc://"),
    ],
)
def test_an_engine_that_cannot_be_is_one_line(setting: dict[str, str], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        settings_from(setting)


def test_the_engine_and_its_address_reach_the_stages_by_their_environment() -> None:
    spark = {"SODAI_ENGINE": "spark", "SODAI_SPARK": "sc://spark-connect:15002"}
    assert settings_from(spark).stage_environment == spark
    assert settings_from({}).stage_environment == {"SODAI_ENGINE": "duckdb"}


@pytest.mark.parametrize(
    ("setting", "shards"), [({}, 1), ({"SODAI_SHARDS": ""}, 1), ({"SODAI_SHARDS": "8"}, 8)]
)
def test_there_is_one_shard_unless_told(setting: dict[str, str], shards: int) -> None:
    assert settings_from(setting).shards == shards


def test_every_stage_runs_on_the_chosen_runner_and_the_drift_report_branches(dag: dict[str, Any]) -> None:
    name = {"process": "Process", "docker": "Docker"}[dag["runner"]]
    assert {task: dag["operators"][task] for task in EMPTY} == dict.fromkeys(EMPTY, "EmptyOperator")
    assert {task: dag["operators"][task] for task in STAGES} == {
        **dict.fromkeys(STAGES, f"{name}StageOperator"),
        "detect_data_drift": f"{name}BranchOperator",
    }


def test_one_branch_is_enough_where_the_two_meet_and_all_else_waits_for_everything(
    dag: dict[str, Any],
) -> None:
    rules = dag["trigger_rules"]
    assert rules.pop("join_model_paths") == "none_failed_min_one_success"
    assert set(rules.values()) == {"all_success"}


def test_only_stages_are_tried_again_and_each_has_an_end(dag: dict[str, Any]) -> None:
    assert {task: dag["retries"][task] for task in STAGES} == dict.fromkeys(STAGES, 2)
    assert {task: dag["retries"][task] for task in EMPTY} == dict.fromkeys(EMPTY, 0)
    hours = {task: dag["timeouts"][task] / 3600 for task in STAGES}
    assert hours == {**dict.fromkeys(STAGES, 1), "create_features": 2, "retrain_model": 6}


def test_one_run_at_a_time_and_none_for_the_past(dag: dict[str, Any]) -> None:
    assert dag["max_active_runs"] == 1
    assert dag["catchup"] is False


def test_the_pipeline_and_every_task_say_what_they_do(dag: dict[str, Any]) -> None:
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
def test_airflow_takes_parameters_within_their_bounds(airflow: Airflow, params: dict[str, Any]) -> None:
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


def test_the_schedule_is_monday_morning_unless_told() -> None:
    assert schedule_from({}) == MONDAY_MORNING


def test_stages_run_as_containers_on_a_named_volume_unless_told() -> None:
    settings = settings_from({})
    assert (settings.runner, settings.volume, settings.is_folder) == ("docker", "sodai_data", False)
    assert settings.image("create_features") == "sodai/create_features:latest"


def test_on_an_object_store_a_stage_sees_a_volume_of_its_host_and_is_told_where_the_data_are() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SESSION_TOKEN": "", "HOME": "/root"}
    settings = settings_from({"SODAI_VOLUME": "s3://bucket/sodai", **keys})
    assert (settings.is_object_store, settings.mounted, settings.is_folder) == (True, "sodai_cache", False)
    told = {"SODAI_DATA": "s3://bucket/sodai", "SODAI_ENGINE": "duckdb"}
    assert settings.stage_environment == told
    assert settings.object_store == {"AWS_ACCESS_KEY_ID": "key"}
    assert "key" not in repr(settings)


@pytest.mark.parametrize(
    ("setting", "network"),
    [
        ({}, "none"),
        ({"SODAI_NETWORK": "sodai"}, "sodai"),
        ({"SODAI_NETWORK": "sodai", "SODAI_VOLUME": "s3://bucket/sodai"}, "sodai"),
        ({"SODAI_VOLUME": "s3://bucket/sodai"}, "bridge"),
        ({"SODAI_ENGINE": "spark", "SODAI_SPARK": "sc://host:15002"}, "bridge"),
        ({"SODAI_SPARK": "sc://host:15002"}, "none"),
        ({"MLFLOW_TRACKING_URI": "http://models:5000"}, "bridge"),
        ({"MLFLOW_TRACKING_URI": "postgresql://models/mlflow"}, "bridge"),
        ({"MLFLOW_TRACKING_URI": "sqlite:////data/mlflow/mlflow.db"}, "none"),
        ({"MLFLOW_TRACKING_URI": "sqlite+pysqlite:////data/mlflow.db"}, "none"),
        ({"MLFLOW_TRACKING_URI": "file:///data/mlflow"}, "none"),
        ({"MLFLOW_TRACKING_URI": "/data/mlflow"}, "none"),
    ],
)
def test_stages_are_on_a_network_where_they_are_to_reach_something(
    setting: dict[str, str], network: str
) -> None:
    assert settings_from({"SODAI_VOLUME": "/folder", **setting}).network_mode == network


def test_in_a_swarm_every_stage_is_a_service_and_the_gate_still_branches(airflow: Airflow) -> None:
    dag = airflow.ask("describe", {"SODAI_RUNNER": "swarm", "SODAI_SHARDS": "2"})
    assert dag["import_errors"] == {}
    operators = {task: dag["operators"][task] for task in STAGES | {SHARDS}}
    assert operators.pop("detect_data_drift") == "SwarmBranchOperator"
    assert set(operators.values()) == {"SwarmStageOperator"}


def test_a_task_runs_on_the_engine_that_is_named_for_it() -> None:
    engines = "retrain_model=tcp://big:2376, score_candidates=unix:///run/small.sock"
    settings = settings_from({"SODAI_DOCKER_HOSTS": engines, "DOCKER_CERT_PATH": "/certs"})
    assert settings.engine_options("retrain_model") == {
        "docker_url": "tcp://big:2376",
        "tls_ca_cert": "/certs/ca.pem",
        "tls_client_cert": "/certs/cert.pem",
        "tls_client_key": "/certs/key.pem",
    }
    assert settings.engine_options("score_candidates") == {"docker_url": "unix:///run/small.sock"}
    assert settings.engine_options("create_features") == {}


@pytest.mark.parametrize(
    "entry",
    ["retrain=tcp://big:2376", "retrain_model=big:2376", "retrain_model", "retrain_model=ssh://user@big"],
)
def test_an_engine_without_a_task_or_an_address_is_refused(entry: str) -> None:
    with pytest.raises(
        ValueError, match=f"SODAI_DOCKER_HOSTS: found '{entry}', expected task=address, .*tcp:// or unix://,"
    ):
        settings_from({"SODAI_DOCKER_HOSTS": entry})


def test_an_unknown_runner_names_the_two_there_are() -> None:
    with pytest.raises(ValueError, match="SODAI_RUNNER: found 'podman', expected docker, process or swarm"):
        settings_from({"SODAI_RUNNER": "podman"})


def test_limits_are_told_for_stages_only_and_every_stage_has_some() -> None:
    assert set(RESOURCES) <= STAGES | {SHARDS}
    for stage in STAGES | {SHARDS}:
        limits = resources_of(stage)
        assert limits.memory_gib >= 2
        assert limits.max_memory_gib >= 1.5 * limits.memory_gib
        assert limits.cpus > 0
        assert limits.processes > 0


def test_every_try_after_one_without_enough_memory_gets_half_as_much_again_up_to_the_most() -> None:
    limits = Resources(memory_gib=4.0, max_memory_gib=8.0)
    assert limits.after_out_of_memory(4.0) == 6.0
    assert limits.after_out_of_memory(6.0) == 8.0
    assert limits.after_out_of_memory(8.0) == 8.0


def test_the_most_memory_cannot_be_less_than_the_first_try_gets() -> None:
    with pytest.raises(ValueError, match=r"max_memory_gib: found 8, expected 9 \(memory_gib\) or more"):
        Resources(memory_gib=9.0, max_memory_gib=8.0)
