"""Prediction in shards: joined, they publish the bytes of a single run."""

import json
import shutil
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sodai.data.catalog import (
    PREDICTION_SUMMARY,
    PREDICTIONS,
    PUBLISHED_MODEL,
    SCORING,
    run_record,
    shard_scores,
)
from sodai.volume.volume import Volume
from support.week import N_CUSTOMERS, WeekWithModel, files_of, run_stage, start_stage

STAGE = "generate_predictions"


def score(root: Path, as_of: date, n_shards: int) -> None:
    for number in range(n_shards):
        outcome = run_stage(STAGE, root, str(as_of), "--shard", str(number), "--shards", str(n_shards))
        assert outcome.code == 0, outcome.log


def published(root: Path, as_of: date) -> tuple[dict[str, bytes], dict[str, Any]]:
    volume = Volume(root)
    return files_of(volume.path(PREDICTIONS, as_of).parent), volume.read_json(PREDICTION_SUMMARY, as_of)


def scores_of(root: Path, as_of: date, n_shards: int) -> list[pa.Table]:
    names = [f"{number}-of-{n_shards}" for number in range(n_shards)]
    return [Volume(root).read(shard_scores(name), as_of) for name in names]


@settings(max_examples=6)
@given(
    n_shards=st.integers(2, 7),
    kept=st.lists(st.integers(0, 9), min_size=N_CUSTOMERS, max_size=N_CUSTOMERS).filter(any),
    row_group_size=st.integers(3, 200),
    k=st.integers(1, 6),
)
def test_joined_shards_publish_the_bytes_of_a_single_run(
    week_with_model: WeekWithModel, n_shards: int, kept: list[int], row_group_size: int, k: int
) -> None:
    as_of = week_with_model.as_of
    with TemporaryDirectory() as folder:
        root = Path(folder) / "volume"
        shutil.copytree(week_with_model.root, root)
        file = Volume(root).path(SCORING, as_of)
        candidates = pq.read_table(file)
        # Keep the first candidates of each customer, of some customers none.
        customers = candidates["customer_id"].to_pylist()
        positions = [number - customers.index(customer) for number, customer in enumerate(customers)]
        limits = dict(zip(sorted(set(customers)), kept, strict=False))
        wanted = [n < limits.get(c, 0) for n, c in zip(positions, customers, strict=True)]
        if not any(wanted):
            wanted[0] = True
        pq.write_table(candidates.filter(pa.array(wanted)), file, row_group_size=row_group_size)
        assert run_stage(STAGE, root, str(as_of), "--k", str(k)).code == 0
        single = published(root, as_of)
        shutil.rmtree(Volume(root).path(PREDICTIONS, as_of).parent)

        score(root, as_of, n_shards)
        outcome = run_stage(STAGE, root, str(as_of), "--k", str(k), "--shards", str(n_shards))

        assert outcome.code == 0, outcome.log
        assert published(root, as_of) == single
        assert sum(scores.num_rows for scores in scores_of(root, as_of, n_shards)) == sum(wanted)


def test_shards_have_about_equally_many_rows_and_split_no_customer(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 3)
    shards = scores_of(volume.root, as_of, 3)
    n_rows = volume.read(SCORING, as_of).num_rows
    assert all(abs(shard.num_rows - n_rows / 3) <= 2 * n_rows / N_CUSTOMERS for shard in shards)
    owners = [set(shard["customer_id"].to_pylist()) for shard in shards]
    assert not owners[0] & owners[1] | owners[1] & owners[2] | owners[0] & owners[2]


def test_a_shard_publishes_nothing_and_touches_no_other(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 2)
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of), "--shard", "1", "--shards", "2")

    n_candidates = scores_of(volume.root, as_of, 2)[1].num_rows
    assert (outcome.result["shard"], outcome.result["n_candidates"]) == ("1-of-2", n_candidates)
    record = str(run_record(STAGE, "1-of-2").relative_path(as_of))
    changed = {path for path, content in files_of(volume.root).items() if before[path] != content}
    assert changed == {record, ".hashes.json"}
    assert not volume.exists(PREDICTIONS, as_of)


def test_shards_run_at_the_same_time(volume: Volume, as_of: date) -> None:
    processes = [
        start_stage(STAGE, volume.root, str(as_of), "--shard", str(number), "--shards", "2")
        for number in range(2)
    ]
    for process in processes:
        _, log = process.communicate()
        assert process.returncode == 0, log
    assert run_stage(STAGE, volume.root, str(as_of), "--shards", "2").code == 0
    assert not list((volume.root / ".attempts").iterdir())


def test_a_shard_that_is_missing_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 2)
    shutil.rmtree(volume.path(shard_scores("1-of-2"), as_of).parent)

    error = refused(volume, as_of)

    assert "score_candidates/1-of-2/scores.parquet: missing, expected the scores of 2 shards" in error
    assert error.endswith("run generate_predictions --shard 1 --shards 2 first")


def test_a_shard_of_another_model_version_is_one_line_and_leaves_no_output(
    volume: Volume, as_of: date
) -> None:
    score(volume.root, as_of, 2)
    card_file = volume.path(PUBLISHED_MODEL, as_of) / "model.json"
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "version": "2"}))
    run_stage(STAGE, volume.root, str(as_of), "--shard", "0", "--shards", "2")

    error = refused(volume, as_of)

    assert "1-of-2/scores.parquet: scored with model_version 1, expected 2; rerun generate_" in error


def test_a_shard_of_another_model_of_the_same_version_is_refused(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 2)
    card_file = volume.path(PUBLISHED_MODEL, as_of) / "model.json"
    record = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**record, "calibration": {"slope": 0.9, "intercept": 0.0}}))
    assert "0-of-2/scores.parquet: scored with model_card_sha256 " in refused(volume, as_of)


def test_a_shard_of_other_candidates_is_refused(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 2)
    rows = pq.read_table(volume.path(SCORING, as_of))
    position = rows.column_names.index("customer_recency_days")
    changed = pa.array([0.5, *rows["customer_recency_days"].to_pylist()[1:]], pa.float32())
    pq.write_table(rows.set_column(position, rows.field(position), changed), volume.path(SCORING, as_of))
    assert "0-of-2/scores.parquet: scored with candidates_footer_sha256 " in refused(volume, as_of)


def test_a_shard_that_is_damaged_is_one_line_and_leaves_no_output(volume: Volume, as_of: date) -> None:
    score(volume.root, as_of, 2)
    file = volume.path(shard_scores("1-of-2"), as_of)
    file.write_bytes(file.read_bytes()[:-5])
    assert "1-of-2/scores.parquet: not readable as parquet" in refused(volume, as_of)


def refused(volume: Volume, as_of: date) -> str:
    """Return the error of joining two shards, after a check that no file changed."""
    before = files_of(volume.root)
    outcome = run_stage(STAGE, volume.root, str(as_of), "--shards", "2")
    assert outcome.code == 1
    assert files_of(volume.root) == before
    error: str = outcome.result["error"]
    return error


@pytest.mark.parametrize("options", [("--shard", "3", "--shards", "3"), ("--shard", "1"), ("--shards", "0")])
def test_a_shard_beyond_their_number_is_a_usage_error(
    volume: Volume, as_of: date, options: tuple[str, ...]
) -> None:
    outcome = run_stage(STAGE, volume.root, str(as_of), *options)
    assert (outcome.code, outcome.result) == (2, {})
