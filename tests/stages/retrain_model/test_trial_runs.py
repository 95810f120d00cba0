"""Trials of a study in MLflow."""

from pathlib import Path

from retrain_model.trial_runs import Trial, log_trials
from sodai.model.registry import Registry
from sodai.volume.volume import Volume


def test_trials_become_child_runs_with_their_own_times(tmp_path: Path) -> None:
    registry = Registry(Volume(tmp_path))
    trials = [
        Trial(0, "COMPLETE", 0.5, {"num_leaves": 7}, 1_000, 3_000),
        Trial(1, "PRUNED", None, {"num_leaves": 9}, 3_000, 4_000),
        Trial(2, "FAIL", None, {}, 4_000, 5_000),
    ]
    with registry.run("parent", {}) as run_id:
        log_trials(registry, run_id, trials, "average_precision")

    runs = registry.client.search_runs(
        [registry.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", order_by=["attribute.start_time"]
    )
    assert [
        (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.tags["state"],
            run.data.params,
            run.data.metrics,
        )
        for run in runs
    ] == [
        ("trial-000", "FINISHED", 1_000, 3_000, "COMPLETE", {"num_leaves": "7"}, {"average_precision": 0.5}),
        ("trial-001", "FINISHED", 3_000, 4_000, "PRUNED", {"num_leaves": "9"}, {}),
        ("trial-002", "FAILED", 4_000, 5_000, "FAIL", {}, {}),
    ]
