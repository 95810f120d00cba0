"""The PostgreSQL image: two databases that accept only their owners, with the newest passwords."""

import secrets
import subprocess
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.docker


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)


def start(name: str, airflow: str) -> None:
    done = docker(
        "run", "--detach", "--name", name, "--volume", f"{name}:/var/lib/postgresql/data",
        "--env", f"AIRFLOW_DB_PASSWORD={airflow}", "--env", "MLFLOW_DB_PASSWORD=m", "sodai/postgres",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    end = time.monotonic() + 60
    while docker("exec", name, "pg_isready", "--quiet", "--host", "127.0.0.1").returncode:
        assert time.monotonic() < end, docker("logs", name).stderr
        time.sleep(0.2)


def query(name: str, user: str, password: str, database: str) -> subprocess.CompletedProcess[str]:
    address = f"postgresql://{user}:{password}@127.0.0.1/{database}"
    return docker("exec", name, "psql", "--tuples-only", "--no-align", address, "--command", "SELECT 1")


@pytest.fixture
def server() -> Iterator[str]:
    name = f"sodai-test-{secrets.token_hex(4)}"
    start(name, airflow="first")
    yield name
    docker("rm", "--force", name)
    docker("volume", "rm", name)


def test_each_owner_can_connect_to_its_own_database_only(server: str) -> None:
    assert query(server, "airflow", "first", "airflow").stdout == "1\n"
    assert query(server, "mlflow", "m", "mlflow").stdout == "1\n"
    assert "permission denied" in query(server, "mlflow", "m", "airflow").stderr
    assert "password authentication failed" in query(server, "airflow", "guess", "airflow").stderr


def test_an_existing_cluster_accepts_new_passwords(server: str) -> None:
    docker("rm", "--force", server)
    start(server, airflow="second")
    assert query(server, "airflow", "second", "airflow").stdout == "1\n"
    assert "password authentication failed" in query(server, "airflow", "first", "airflow").stderr
