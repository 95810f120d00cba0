"""What a worker of a Spark cluster does for its task, and what is refused before a cluster is asked."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generate_predictions.cluster import answer_of
from sodai.data.catalog import PUBLISHED_MODEL, shard_scores
from sodai.data.shard import Shard
from sodai.model.trained_model import MODEL_CARD_FILE
from sodai.volume.volume import Volume
from support.week import files_of, run_stage

STAGE = "generate_predictions"


def test_a_task_scores_its_shard_as_the_stage_does(volume: Volume, as_of: date, tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    for number in range(2):
        answer = answer_of(volume.root, as_of, Shard(number, 2), tmp_path / "scores")
        assert answer.to_pylist() == [{"shard": number, "error": None}]
        assert run_stage(STAGE, volume.root, str(as_of), "--shard", str(number), "--shards", "2").code == 0
        name = f"{number}-of-2"
        task: pa.Table = pq.read_table(tmp_path / "scores" / f"{name}.parquet")
        assert task.equals(volume.read(shard_scores(name), as_of))


def test_what_a_task_expects_to_fail_travels_back_as_one_line(
    volume: Volume, as_of: date, tmp_path: Path
) -> None:
    (volume.path(PUBLISHED_MODEL, as_of) / MODEL_CARD_FILE).unlink()
    [answer] = answer_of(volume.root, as_of, Shard(1, 2), tmp_path).to_pylist()
    assert answer["shard"] == 1
    assert str(volume.path(PUBLISHED_MODEL, as_of)) in answer["error"]
    assert "\n" not in answer["error"]


def test_a_cluster_makes_its_own_tasks(volume: Volume, as_of: date) -> None:
    spark = ("--engine", "spark", "--spark-remote", "sc://127.0.0.1:1")
    outcome = run_stage(STAGE, volume.root, str(as_of), *spark, "--shards", "2")
    assert outcome.code == 2
    assert "--shards" in outcome.log


def test_a_cluster_that_does_not_answer_is_one_line_and_leaves_what_was_there(
    volume: Volume, as_of: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sodai.engines.session.ANSWER_SECONDS", 0.5)
    before = files_of(volume.root)
    spark = ("--engine", "spark", "--spark-remote", "sc://127.0.0.1:1")
    outcome = run_stage(STAGE, volume.root, str(as_of), *spark)
    assert outcome.code == 1
    assert outcome.result["error"].startswith("--spark-remote: sc://127.0.0.1:1 did not answer within 0.5 s")
    assert files_of(volume.root) == before
