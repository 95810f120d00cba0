"""The settings of the environment: values, combinations that are impossible, and what follows from them."""

import re

import pytest

from sodai_dag.settings import check_settings, schedule_from, settings_from

MLFLOW = {"MLFLOW_TRACKING_URI": "http://models:5000"}
SPARK = {"SODAI_ENGINE": "spark", "SODAI_SPARK": "sc://host:15002"}
STORE = {"SODAI_VOLUME": "s3://bucket/sodai"}


@pytest.mark.parametrize("shards", ["0", "-1", "two", "1.5", "1001"])
def test_a_number_of_shards_that_is_none_is_one_line(shards: str) -> None:
    with pytest.raises(ValueError, match=f"SODAI_SHARDS: found '{shards}', expected a number from 1 to 1000"):
        settings_from({"SODAI_SHARDS": shards})


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="SODAI_ENGINE: found 'polars', expected duckdb or spark"):
        settings_from({"SODAI_ENGINE": "polars"})


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"SODAI_ENGINE": "spark"},
            "SODAI_SPARK: found '', expected a Spark Connect server such as sc://",
        ),
        ({**SPARK, "SODAI_SHARDS": "2"}, "SODAI_SHARDS: found 2 with SODAI_ENGINE=spark, expected 1: "),
        (
            {**SPARK, **STORE, **MLFLOW},
            "SODAI_ENGINE: found spark with SODAI_VOLUME=s3://bucket/sodai, expected duckdb, or ",
        ),
        (
            STORE,
            "MLFLOW_TRACKING_URI: not set, expected an MLflow server: s3://bucket/sodai is an object store",
        ),
    ],
)
def test_an_impossible_combination_is_one_line(setting: dict[str, str], line: str) -> None:
    error = check_settings(setting)
    assert error is not None
    assert error.startswith(line)
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        settings_from(setting)


@pytest.mark.parametrize(
    "setting",
    [
        {},
        SPARK,
        {**SPARK, "SODAI_SHARDS": "1"},
        {**SPARK, "SODAI_SHARDS": ""},
        {"SODAI_ENGINE": "duckdb", "SODAI_SHARDS": "3"},
        {**STORE, **MLFLOW, "SODAI_SHARDS": "3"},
        {"SODAI_VOLUME": "/folder"},
    ],
)
def test_other_combinations_are_possible(setting: dict[str, str]) -> None:
    assert check_settings(setting) is None
    settings_from(setting)


def test_the_engine_and_its_address_reach_the_stages_by_their_environment() -> None:
    assert settings_from(SPARK).stage_environment == SPARK
    assert settings_from({}).stage_environment == {"SODAI_ENGINE": "duckdb"}


@pytest.mark.parametrize(
    ("setting", "shards"), [({}, 1), ({"SODAI_SHARDS": ""}, 1), ({"SODAI_SHARDS": "8"}, 8)]
)
def test_there_is_one_shard_by_default(setting: dict[str, str], shards: int) -> None:
    assert settings_from(setting).shards == shards


def test_the_schedule_is_monday_morning_by_default() -> None:
    assert schedule_from({}) == "0 6 * * 1"


def test_stages_run_as_containers_on_a_named_volume_by_default() -> None:
    settings = settings_from({})
    assert (settings.runner, settings.volume, settings.is_folder) == ("docker", "sodai_data", False)
    assert settings.image("create_features") == "sodai/create_features:latest"


def test_on_an_object_store_a_stage_gets_a_cache_of_its_host_and_the_url_of_the_data() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SESSION_TOKEN": "", "HOME": "/root"}
    settings = settings_from({**STORE, **MLFLOW, **keys})
    assert (settings.is_object_store, settings.mounted, settings.is_folder) == (True, "sodai_cache", False)
    assert settings.stage_environment == {
        **MLFLOW,
        "SODAI_DATA": "s3://bucket/sodai",
        "SODAI_ENGINE": "duckdb",
    }
    assert settings.object_store == {"AWS_ACCESS_KEY_ID": "key"}
    assert "key" not in repr(settings)


@pytest.mark.parametrize(
    ("setting", "network"),
    [
        ({}, "none"),
        ({"SODAI_NETWORK": "sodai"}, "sodai"),
        ({"SODAI_NETWORK": "sodai", **STORE, **MLFLOW}, "sodai"),
        ({**STORE, "MLFLOW_TRACKING_URI": "sqlite:////data/mlflow.db"}, "bridge"),
        (SPARK, "bridge"),
        ({"SODAI_SPARK": "sc://host:15002"}, "none"),
        ({"MLFLOW_TRACKING_URI": "http://models:5000"}, "bridge"),
        ({"MLFLOW_TRACKING_URI": "postgresql://models/mlflow"}, "bridge"),
        ({"MLFLOW_TRACKING_URI": "sqlite:////data/mlflow/mlflow.db"}, "none"),
        ({"MLFLOW_TRACKING_URI": "sqlite+pysqlite:////data/mlflow.db"}, "none"),
        ({"MLFLOW_TRACKING_URI": "file:///data/mlflow"}, "none"),
        ({"MLFLOW_TRACKING_URI": "/data/mlflow"}, "none"),
    ],
)
def test_stages_are_on_a_network_where_they_need_a_server(setting: dict[str, str], network: str) -> None:
    assert settings_from({"SODAI_VOLUME": "/folder", **setting}).network_mode == network


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


def test_an_unknown_runner_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="SODAI_RUNNER: found 'podman', expected docker, process or swarm"):
        settings_from({"SODAI_RUNNER": "podman"})
