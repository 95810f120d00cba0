"""A full stack of its own, beside one that may be in use, and what a test asks of it."""

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
    """A stack that answers; `token` opens Airflow's API."""

    token: str

    def trigger(self, run_id: str, **conf: Any) -> None:
        """Start a run as the README says."""
        self.airflow("dags", "trigger", DAG, "--run-id", run_id, "--conf", json.dumps(conf))

    def airflow(self, *arguments: str) -> str:
        """What an Airflow command prints in the scheduler's container."""
        return compose("exec", "--no-TTY", "airflow-scheduler", "airflow", *arguments)

    def get(self, path: str) -> dict[str, Any]:
        """An answer of Airflow's API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{AIRFLOW_PORT}/api/v2/{path}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            record: dict[str, Any] = json.load(answer)
            return record

    def tries(self, run_id: str) -> dict[str, int]:
        """Number of the newest try of each task of a run."""
        return {task["task_id"]: task["try_number"] for task in self._tasks(run_id)}

    def ended(self, run_id: str, seconds: int = 600) -> dict[str, str]:
        """Wait until a run has ended; gives the state of each task, and of the run under ''."""

        def state() -> str | None:
            found: str = self.get(f"dags/{DAG}/dagRuns/{run_id}")["state"]
            return found if found in ENDED else None

        last = until(state, seconds, f"the end of run {run_id}")
        return {"": last, **{task["task_id"]: task["state"] for task in self._tasks(run_id)}}

    def containers(self, task: str) -> list[str]:
        """Containers of a stage that run now."""
        wanted = [f"label=sodai.task={task}", f"network={NAME}"]
        filters = [argument for one in wanted for argument in ("--filter", one)]
        return run("docker", "ps", "--quiet", *filters).split()

    def read(self, place: str) -> str:
        """A text file of the volume."""
        return self.inside("cat", f"/data/{place}")

    def inside(self, *command: str) -> str:
        """What a command prints that sees the volume at /data."""
        return run("docker", "run", "--rm", "--volume", f"{NAME}_data:/data:ro", "sodai/base", *command)

    def _tasks(self, run_id: str) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = self.get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return tasks


def start(raw: Path) -> Stack:
    """Bring the stack up with the files of `raw`, or load them into one that is up."""
    run(".venv/bin/python", "dags/run_stack.py", "--data", str(raw))
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
    """Take the stack away with all that it stored."""
    compose("down", "--volumes", "--timeout", "5")


def compose(*arguments: str) -> str:
    """Run docker compose on the stack; gives its stdout."""
    return run("docker", "compose", *arguments)


def run(*command: str) -> str:
    """Run a command in the project's folder, which must end well; gives its stdout."""
    environment = {
        **os.environ,
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


def until(found: Callable[[], str | None], seconds: int, what: str) -> str:
    """Ask every second until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found()
        if answer is not None:
            return answer
        time.sleep(1)
    raise AssertionError(f"waited {seconds} s for {what}")
