"""The ports, mounts, names and required variables of docker-compose.yml."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from make_commands.up import Stack

ROOT = Path(__file__).parents[2]
SECRETS = (
    "AIRFLOW_DB_PASSWORD",
    "MLFLOW_DB_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_API_SECRET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD",
)

pytestmark = pytest.mark.docker


def compose_config(folder: Path, settings: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = ["docker", "compose", "--env-file", str(env_file), *options, "config", "--format", "json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def settings() -> dict[str, str]:
    return {name: f"value-of-{name.lower()}" for name in SECRETS} | {"DOCKER_GID": "999"}


@pytest.fixture
def stack(tmp_path: Path, settings: dict[str, str]) -> dict[str, Any]:
    done = compose_config(tmp_path, settings)
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


@pytest.mark.parametrize("name", [*SECRETS, "DOCKER_GID"])
def test_a_secret_that_was_not_generated_has_no_default(
    tmp_path: Path, settings: dict[str, str], name: str
) -> None:
    del settings[name]
    done = compose_config(tmp_path, settings)
    assert done.returncode != 0
    assert f"{name} is missing a value: run make up" in done.stderr


def test_ports_are_open_on_this_machine_only(stack: dict[str, Any]) -> None:
    ports = {
        (port["host_ip"], port["published"])
        for service in stack["services"].values()
        for port in service.get("ports", [])
    }
    assert ports == {("127.0.0.1", "8080"), ("127.0.0.1", "5000")}


def test_only_the_scheduler_gets_the_socket_of_docker(stack: dict[str, Any]) -> None:
    holders = {
        name
        for name, service in stack["services"].items()
        for volume in service.get("volumes", [])
        if volume["source"].endswith("docker.sock")
    }
    assert holders == {"airflow-scheduler"}


def test_containers_that_compose_does_not_start_find_volume_and_network_by_name(
    stack: dict[str, Any],
) -> None:
    settings = stack["services"]["airflow-scheduler"]["environment"]
    assert settings["SODAI_VOLUME"] in {volume["name"] for volume in stack["volumes"].values()}
    assert settings["SODAI_NETWORK"] in {network["name"] for network in stack["networks"].values()}
    assert settings["SODAI_NETWORK"] in stack["services"]["mlflow"]["networks"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("sodai_data", "latest", "8080", "5000")),
        ({"SODAI_STACK": "mine", "MLFLOW_PORT": "15000"}, ("mine_data", "latest", "8080", "15000")),
        (
            {"SODAI_VOLUME": "/srv/sodai", "SODAI_IMAGE_TAG": "two", "AIRFLOW_PORT": "18080"},
            ("/srv/sodai", "two", "18080", "5000"),
        ),
    ],
)
def test_input_is_added_to_the_volume_of_the_tasks(
    tmp_path: Path, settings: dict[str, str], variables: dict[str, str], expected: tuple[str, str, str, str]
) -> None:
    stack = Stack.from_config(json.loads(compose_config(tmp_path, settings | variables).stdout))
    volume, tag, *ports = expected
    assert stack == Stack(volume, f"sodai/extract_and_validate_data:{tag}", *ports)


def test_the_scheduler_alone_sees_the_certificates_of_other_engines_read_only(
    stack: dict[str, Any], tmp_path: Path, settings: dict[str, str]
) -> None:
    assert not stack["services"]["airflow-scheduler"]["environment"]["DOCKER_CERT_PATH"]
    with_certificates = compose_config(tmp_path, {**settings, "DOCKER_CERT_PATH": "/etc/engines"})
    services = json.loads(with_certificates.stdout)["services"]
    mounts = {
        name: (volume["target"], volume["read_only"])
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if volume["source"] == "/etc/engines"
    }
    assert mounts == {"airflow-scheduler": ("/certificates", True)}
    # Every service that reads the DAG needs it.
    for name in ("airflow-scheduler", "airflow-dag-processor"):
        assert services[name]["environment"]["DOCKER_CERT_PATH"] == "/certificates"


def test_stages_may_have_another_network_and_mlflow_than_those_of_the_stack(
    stack: dict[str, Any], tmp_path: Path, settings: dict[str, str]
) -> None:
    own = {"SODAI_NETWORK": "sodai", "MLFLOW_TRACKING_URI": "http://mlflow:5000"}
    others = {"SODAI_NETWORK": "bridge", "MLFLOW_TRACKING_URI": "http://models:5000"}
    given = json.loads(compose_config(tmp_path, {**settings, **others}).stdout)
    for config, expected in ((stack, own), (given, others)):
        environment = config["services"]["airflow-scheduler"]["environment"]
        assert {name: environment[name] for name in expected} == expected


def test_stages_are_containers_unless_the_env_file_asks_for_services(
    stack: dict[str, Any], tmp_path: Path, settings: dict[str, str]
) -> None:
    given = json.loads(compose_config(tmp_path, {**settings, "SODAI_RUNNER": "swarm"}).stdout)
    for config, expected in ((stack, "docker"), (given, "swarm")):
        # Every service that reads the DAG needs it.
        for name in ("airflow-scheduler", "airflow-dag-processor"):
            assert config["services"][name]["environment"]["SODAI_RUNNER"] == expected


def test_the_database_is_on_no_network_that_stages_join(stack: dict[str, Any]) -> None:
    assert set(stack["services"]["postgres"]["networks"]) == {"backend"}


def test_every_long_running_service_has_a_health_check(stack: dict[str, Any]) -> None:
    without = {name for name, service in stack["services"].items() if "healthcheck" not in service}
    assert without == {"airflow-init"}


def test_the_cluster_runs_only_on_request_and_shares_volume_and_network_with_the_stages(
    stack: dict[str, Any], tmp_path: Path, settings: dict[str, str]
) -> None:
    with_spark = json.loads(compose_config(tmp_path, settings, "--profile", "spark").stdout)
    new = {name: with_spark["services"][name] for name in with_spark["services"].keys() - stack["services"]}
    assert set(new) == {"spark-master", "spark-worker", "spark-connect"}
    assert new["spark-worker"]["deploy"]["replicas"] == 2
    for service in new.values():
        assert set(service["networks"]) == {"sodai"}
        assert [(volume["source"], volume["target"]) for volume in service["volumes"]] == [("data", "/data")]
        assert "ports" not in service
        assert "healthcheck" in service
