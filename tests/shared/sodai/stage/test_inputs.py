"""The files of a volume that decide the result of a stage."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from sodai.data.catalog import LEDGER, PREDICTIONS, TRANSACTIONS
from sodai.data.periods import Period
from sodai.stage.inputs import N_EARLIER, Inputs, newest_earlier
from sodai.volume.file_hashes import FileHashes

AS_OF = date(2024, 7, 1)
MONDAYS = [AS_OF - timedelta(weeks=back) for back in range(12, 0, -1)]


@pytest.fixture
def index(tmp_path: Path) -> FileHashes:
    """Return the index of twelve weeks of purchases and predictions, and the predictions of AS_OF."""
    for day in (*MONDAYS, AS_OF):
        path = tmp_path / PREDICTIONS.relative_path(day)
        path.parent.mkdir(parents=True)
        path.touch()
    partitions = {str(day): f"week={day}.parquet" for day in (*MONDAYS, AS_OF)}
    ledger = tmp_path / LEDGER.relative_path(None)
    ledger.parent.mkdir(parents=True)
    ledger.write_text(json.dumps({"partitions": {"transactions": partitions}}))
    return FileHashes(tmp_path)


def test_only_the_newest_earlier_periods_are_returned(index: FileHashes) -> None:
    (index.root / "predictions/week=all").mkdir()
    (index.root / "predictions/week=all/predictions.parquet").touch()
    newest = newest_earlier(index, PREDICTIONS, AS_OF)
    assert N_EARLIER == 8
    assert list(newest) == MONDAYS[-8:]
    assert newest[MONDAYS[-1]] == index.root / PREDICTIONS.relative_path(MONDAYS[-1])
    assert list(newest_earlier(index, PREDICTIONS, MONDAYS[3])) == MONDAYS[:3]


def test_a_stage_that_looks_back_reads_the_purchases_from_the_first_of_those_periods_on(
    index: FileHashes,
) -> None:
    inputs = Inputs(earlier=(PREDICTIONS, TRANSACTIONS))
    paths = inputs.paths(index, Period(AS_OF, 7))
    folder = index.root / TRANSACTIONS.relative_path(None)
    assert paths == [
        *(index.root / PREDICTIONS.relative_path(day) for day in MONDAYS[-8:]),
        *(folder / f"week={day}.parquet" for day in MONDAYS[-8:]),
    ]
    assert inputs.paths(index, Period(MONDAYS[0], 7)) == []


def test_a_period_that_begins_within_a_week_reads_the_whole_week(index: FileHashes) -> None:
    for day in MONDAYS[1:]:
        (index.root / PREDICTIONS.relative_path(day)).unlink()
    thursday = MONDAYS[4] + timedelta(days=3)
    moved = index.root / PREDICTIONS.relative_path(MONDAYS[0])
    moved.parent.rename(moved.parent.with_name(f"week={thursday}"))
    paths = Inputs(earlier=(PREDICTIONS, TRANSACTIONS)).paths(index, Period(MONDAYS[6], 7))
    assert [path.name for path in paths[1:]] == [f"week={day}.parquet" for day in MONDAYS[4:6]]
