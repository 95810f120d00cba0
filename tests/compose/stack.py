"""A separate full stack, next to one that may be in use, and the requests of tests to it."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAME = "sodai-test"
DAG = "sodai_recommendation_pipeline"
AIRFLOW_PORT, MLFLOW_PORT = 18080, 15000
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Stack:
    """A running stack; `token` gives access to Airflow's API."""

    token: str

    def trigger(self, run_id: str, **conf: Any) -> None:
        """Start a run as the README does."""
        self.airflow("dags", "trigger", DAG, "--run-id", run_id, "--conf", json.dumps(conf))

    def airflow(self, *arguments: str) -> str:
        """Run an Airflow command in the scheduler's container; return what it prints."""
        return compose("exec", "--no-TTY", "airflow-scheduler", "airflow", *arguments)

    def get(self, path: str) -> dict[str, Any]:
        """Return an answer of Airflow's API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{AIRFLOW_PORT}/api/v2/{path}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            record: dict[str, Any] = json.load(answer)
            return record

    def tries(self, run_id: str) -> dict[str, int]:
        """Return the number of the newest try of each task of a run."""
        return {task["task_id"]: task["try_number"] for task in self._tasks(run_id)}

    def wait_for_end(self, run_id: str, seconds: int = 600) -> dict[str, str]:
        """Wait until a run has ended; return the state of each task, and of the run under ''."""

        def final_state() -> str | None:
            state: str = self.get(f"dags/{DAG}/dagRuns/{run_id}")["state"]
            return state if state in ENDED else None

        run_state = wait_for(final_state, seconds, f"the end of run {run_id}")
        return {"": run_state, **{task["task_id"]: task["state"] for task in self._tasks(run_id)}}

    def containers(self, task: str) -> list[str]:
        """Return the running containers of a stage."""
        filters = ("--filter", f"label=sodai.task={task}", "--filter", f"network={NAME}")
        return run("docker", "ps", "--quiet", *filters).split()

    def read(self, path: str) -> str:
        """Return a text file of the volume."""
        return self.inside("cat", f"/data/{path}")

    def inside(self, *command: str) -> str:
        """Run a command that sees the volume at /data; return what it prints."""
        return run("docker", "run", "--rm", "--volume", f"{NAME}_data:/data:ro", "sodai/base", *command)

    def _tasks(self, run_id: str) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = self.get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return tasks


def start(raw: Path) -> Stack:
    """Start the stack with the files of `raw`, or add them to a running stack."""
    run(".venv/bin/python", "-P", "-m", "make_commands.up", "--data", str(raw))
    secrets = dict(line.split("=", 1) for line in (ROOT / ".env").read_text().splitlines())
    login = {"username": "admin", "password": secrets["AIRFLOW_ADMIN_PASSWORD"]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{AIRFLOW_PORT}/auth/token",
        data=json.dumps(login).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return Stack(json.load(answer)["access_token"])


def remove() -> None:
    """Remove the stack and its data."""
    compose("down", "--volumes", "--timeout", "5")


def compose(*arguments: str) -> str:
    """Run docker compose on the stack; return its stdout."""
    return run("docker", "compose", *arguments)


def run(*command: str) -> str:
    """Run a command in the project's folder, which must succeed; return its stdout."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "dags"),
        "SODAI_STACK": NAME,
        "AIRFLOW_PORT": str(AIRFLOW_PORT),
        "MLFLOW_PORT": str(MLFLOW_PORT),
        "SODAI_SCHEDULE": "",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(ask: Callable[[], str | None], seconds: int, what: str) -> str:
    """Ask every second until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(1)
    raise AssertionError(f"waited {seconds} s for {what}")
