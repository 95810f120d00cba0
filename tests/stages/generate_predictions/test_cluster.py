"""The task of a worker of a Spark cluster, and refusals before a cluster is asked."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generate_predictions.cluster import run_task
from sodai.data.catalog import PUBLISHED_MODEL, shard_scores
from sodai.data.shard import Shard
from sodai.model.trained_model import MODEL_CARD_FILE
from sodai.volume.volume import Volume
from support.week import files_of, run_stage

STAGE = "generate_predictions"


def test_a_task_scores_its_shard_as_the_stage_does(volume: Volume, as_of: date, tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    for number in range(2):
        result = run_task(volume.root, as_of, Shard(number, 2), tmp_path / "scores")
        assert result.to_pylist() == [{"shard": number, "error": None}]
        assert run_stage(STAGE, volume.root, str(as_of), "--shard", str(number), "--shards", "2").code == 0
        name = f"{number}-of-2"
        task: pa.Table = pq.read_table(tmp_path / "scores" / f"{name}.parquet")
        assert task.equals(volume.read(shard_scores(name), as_of))


def test_an_expected_failure_of_a_task_comes_back_as_one_line(
    volume: Volume, as_of: date, tmp_path: Path
) -> None:
    (volume.path(PUBLISHED_MODEL, as_of) / MODEL_CARD_FILE).unlink()
    [result] = run_task(volume.root, as_of, Shard(1, 2), tmp_path).to_pylist()
    assert result["shard"] == 1
    assert str(volume.path(PUBLISHED_MODEL, as_of)) in result["error"]
    assert "\n" not in result["error"]


def test_shards_and_a_cluster_exclude_each_other(volume: Volume, as_of: date) -> None:
    spark = ("--engine", "spark", "--spark-remote", "sc://127.0.0.1:1")
    outcome = run_stage(STAGE, volume.root, str(as_of), *spark, "--shards", "2")
    assert outcome.code == 2
    assert "--shards" in outcome.log


def test_a_cluster_that_does_not_answer_is_one_line_and_changes_no_file(
    volume: Volume, as_of: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.engines.session.ANSWER_SECONDS", 0.5)
    before = files_of(volume.root)
    spark = ("--engine", "spark", "--spark-remote", "sc://127.0.0.1:1")
    outcome = run_stage(STAGE, volume.root, str(as_of), *spark)
    assert outcome.code == 1
    assert outcome.result["error"].startswith("--spark-remote: sc://127.0.0.1:1 did not answer within 0.5 s")
    assert files_of(volume.root) == before
