"""The purchases of a closed period: distinct pairs inside it, and lines before it."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import LEDGER, PAIR, TRANSACTIONS
from sodai.data.periods import Period, week_of
from sodai.errors import VolumeError
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.realised_demand import realised_demand
from sodai.volume.volume import Volume

PERIOD = Period(date(2024, 1, 10), 7)  # Wednesday to Tuesday, across two weekly partitions
LINES = [
    (1, 501, date(2024, 1, 1)),
    (2, 502, date(2024, 1, 9)),  # the last day before the period
    (1, 501, date(2024, 1, 9)),
    (2, 501, date(2024, 1, 10)),  # its first day
    (1, 501, date(2024, 1, 12)),
    (2, 501, date(2024, 1, 16)),  # the last day, and the pair of the first
    (3, 502, date(2024, 1, 17)),  # the day after
]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with a warehouse of LINES, one partition per week."""
    volume = Volume(tmp_path)
    volume.path(TRANSACTIONS).mkdir(parents=True)
    for week in {week_of(day) for _, _, day in LINES}:
        lines = [line for line in LINES if week_of(line[2]) == week]
        customers, products, days = (pa.array(values) for values in zip(*lines, strict=True))
        table = pa.table(
            {
                "customer_id": customers,
                "product_id": products,
                "order_id": range(len(lines)),
                "purchase_date": days,
                "n_units": [1.0] * len(lines),
            }
        )
        pq.write_table(table, volume.path(TRANSACTIONS) / f"{week}.parquet")
    partitions = {str(week_of(day)): f"{week_of(day)}.parquet" for _, _, day in LINES}
    volume.path(LEDGER).write_text(json.dumps({"partitions": {"transactions": partitions}}))
    return volume


def before(closed: ClosedPeriod) -> list[tuple[int, int, date]]:
    lines = closed.purchases_before
    return list(zip(lines["customer_id"], lines["product_id"], lines["purchase_date"].dt.date, strict=True))


def test_the_truth_has_each_pair_once_and_no_earlier_purchases(volume: Volume) -> None:
    closed = ClosedPeriod.read(volume, PERIOD, since=date(2024, 1, 1))
    assert closed.period == PERIOD
    assert list(closed.truth) == PAIR
    assert closed.truth.to_numpy().tolist() == [[2, 501], [1, 501]]
    assert before(closed) == LINES[:3]


def test_purchases_before_start_on_a_day_or_are_not_read(volume: Volume) -> None:
    assert before(ClosedPeriod.read(volume, PERIOD, since=date(2024, 1, 9))) == LINES[1:3]
    alone = ClosedPeriod.read(volume, PERIOD)
    assert before(alone) == []
    assert alone.truth.to_numpy().tolist() == [[2, 501], [1, 501]]


def test_purchases_of_some_customers_only_can_be_read(volume: Volume) -> None:
    closed = ClosedPeriod.read(volume, PERIOD, pa.array([2]), date(2024, 1, 1))
    assert closed.truth.to_numpy().tolist() == [[2, 501]]
    assert before(closed) == [LINES[1]]


def test_the_truth_has_as_many_pairs_as_the_realised_demand(volume: Volume) -> None:
    for horizon_days in (1, 3, 7, 8):
        period = Period(PERIOD.as_of, horizon_days)
        purchases = ClosedPeriod.read(volume, Period(date(2024, 2, 1), 1), since=date.min).purchases_before
        demand = realised_demand(purchases, [period.as_of], horizon_days)
        assert len(ClosedPeriod.read(volume, period).truth) == demand[period.as_of]


def test_a_period_before_the_first_purchase_cannot_be_read(volume: Volume) -> None:
    with pytest.raises(VolumeError, match="no purchases before 2024-01-01, expected some weeks of history"):
        ClosedPeriod.read(volume, Period(date(2023, 12, 25), 7))
