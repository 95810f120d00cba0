"""Trials of a study as child runs in MLflow."""

from dataclasses import dataclass
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from sodai.model.registry import Registry


@dataclass(frozen=True)
class Trial:
    """One trial of a study, as its child run shows it."""

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    started_ms: int
    ended_ms: int


def log_trials(registry: Registry, run_id: str, trials: list[Trial], metric: str) -> None:
    """Add each trial of a study as a child run of `run_id`, with its value as `metric`."""
    client = registry.client
    with registry.explain_errors():
        for trial in trials:
            tags = {"mlflow.parentRunId": run_id, "state": trial.state}
            child = client.create_run(
                registry.experiment_id, trial.started_ms, tags, run_name=f"trial-{trial.number:03d}"
            )
            metrics = [] if trial.value is None else [Metric(metric, trial.value, trial.ended_ms, 0)]
            params = [Param(name, str(value)) for name, value in trial.params.items()]
            client.log_batch(child.info.run_id, metrics, params, [RunTag("trial", str(trial.number))])
            status = "FAILED" if trial.state == "FAIL" else "FINISHED"
            client.set_terminated(child.info.run_id, status, trial.ended_ms)
