"""Prediction in three shards as local processes, for a given day, publishes what one process does."""

from pathlib import Path

import pytest

from sodai.data.catalog import HISTORY, PREDICT, PREDICTION_SUMMARY, STAGES, run_record
from sodai.volume.volume import Volume
from support.pipeline_runs import TwoWeeks, results_of, run_pipeline

SHARDS = ["score_candidates 0", "score_candidates 1", "score_candidates 2"]


def test_three_shards_publish_for_a_given_day_what_one_process_does_for_the_newest(
    two_weeks: TwoWeeks, tmp_path: Path
) -> None:
    history, root = two_weeks.history, tmp_path / "volume"

    run = run_pipeline(history.before, root, "--as-of", str(history.as_of), env={"SODAI_SHARDS": "3"})

    assert run.code == 0, run.stderr
    first = run.tasks.index("analyze_interpretability") + 1
    assert sorted(run.tasks[first : first + 3]) == SHARDS
    assert [task for task in run.tasks if task not in SHARDS] == two_weeks.first.tasks
    for folder in (f"predictions/week={history.as_of}", f"weeks/{history.as_of}/analyze_interpretability"):
        files = {path: text for path, text in results_of(root, folder).items() if "run.json" not in path}
        assert files
        assert {path: two_weeks.after_first[path] for path in files} == files
    summary = str(PREDICTION_SUMMARY.relative_path(history.as_of))
    assert (root / summary).read_bytes() == two_weeks.after_first[summary]

    volume = Volume(root)
    records = [run_record(stage) for stage in STAGES if volume.exists(run_record(stage), history.as_of)]
    records += [run_record(PREDICT, f"{number}-of-3") for number in range(3)]
    seconds = [
        volume.read_json(record, history.as_of)["wall_seconds"]
        for record in records
        if "log_pipeline_metrics" not in record.name
    ]
    assert volume.read(HISTORY)["wall_seconds"].to_pylist() == [pytest.approx(sum(seconds))]
