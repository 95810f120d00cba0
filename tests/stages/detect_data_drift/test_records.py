"""What the decision is made from: volumes of known weeks, and what was published last."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.pipeline import Pipeline

from detect_data_drift import records
from detect_data_drift.core_worth import Worth
from detect_data_drift.records import (
    Champion,
    current_units,
    last_published,
    volumes,
    weekly_sales,
)
from sodai.data.catalog import PREDICTION_SUMMARY, PREDICTIONS, QUALITY, SCORING, TRAINING
from sodai.data.periods import Period
from sodai.evaluation.baselines import baselines
from sodai.evaluation.drift_sample import sample_one_per_entity
from sodai.evaluation.metrics import set_metrics
from sodai.model.trained_model import TrainedModel
from sodai.volume.transactions import read_transactions, transaction_partitions
from sodai.volume.volume import Volume
from support.champion import SmallWeek
from support.week import write_record


@pytest.fixture(scope="module")
def week(featured: SmallWeek) -> SmallWeek:
    return featured


@pytest.fixture
def volume(week: SmallWeek, tmp_path: Path) -> Volume:
    return week.copy(tmp_path / "volume")


def publish(volume: Volume, as_of: date, selected: pd.DataFrame) -> None:
    """Predictions for a period: the selected pairs in their order, and one pair that was left out."""
    rows = selected.assign(selected=True)
    rows.loc[len(rows)] = [1001, 999_999, False]
    rows["rank"] = rows.groupby("customer_id").cumcount() + 1
    rows = rows.assign(week=as_of, probability=0.5, model_version="1")
    table = pa.Table.from_pandas(
        rows[PREDICTIONS.contract.names], PREDICTIONS.contract.schema, preserve_index=False
    )
    with volume.attempt("test", as_of) as attempt:
        attempt.write(PREDICTIONS, table)


def bought(volume: Volume, first: date, end: date) -> pd.DataFrame:
    pairs = read_transactions(volume, end, first).select(["customer_id", "product_id"]).to_pandas()
    return pairs.drop_duplicates(ignore_index=True)


def test_a_volume_is_what_was_bought_in_the_last_seven_days(week: SmallWeek) -> None:
    volume, period = week.volume, Period(week.as_of, 7)
    reference = volume.read(TRAINING, week.as_of)
    newest, known = volumes(volume, period, reference)
    assert newest == len(bought(volume, week.as_of - timedelta(weeks=1), week.as_of))
    cutoffs = sorted(set(reference["cutoff"].to_pylist()))
    assert known == [len(bought(volume, cutoff - timedelta(weeks=1), cutoff)) for cutoff in cutoffs]


def published(volume: Volume, period: Period) -> Worth:
    found = last_published(volume, period)
    assert found is not None
    return found


def test_a_published_set_is_held_against_what_was_bought_in_its_period(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, week.as_of)
    wrong = pd.DataFrame({"customer_id": 1001, "product_id": range(900_000, 900_010)})
    publish(volume, before, pd.concat([truth.head(30), wrong], ignore_index=True))

    found = published(volume, Period(week.as_of, 7))

    assert found.figures["set_f1"] == pytest.approx(2 * 30 / (40 + len(truth)))


def test_the_rules_are_held_against_the_same_period_from_what_came_before_it(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, week.as_of)
    publish(volume, before, truth)
    rules = baselines(read_transactions(volume, before).to_pandas(), before)

    found = published(volume, Period(week.as_of, 7))

    assert found.of_rules("set_f1") == {
        name: pytest.approx(set_metrics(rule.selected, truth)["set_f1"]) for name, rule in rules.items()
    }
    # The lists hold what was bought and nothing else, and no list holds more than ten products.
    assert truth.groupby("customer_id").size().max() <= 10
    assert found.figures["ndcg"] == pytest.approx(1.0)
    assert max(found.of_rules("ndcg").values()) < 1.0


def test_a_shorter_period_is_held_against_its_own_days_alone(volume: Volume, week: SmallWeek) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, before + timedelta(days=5))
    assert len(truth) < len(bought(volume, before, week.as_of))
    publish(volume, before, truth)
    assert published(volume, Period(week.as_of, 5)).figures["set_f1"] == 1.0


@pytest.mark.parametrize("horizon_days", [5, 7])
def test_what_was_published_for_a_period_of_another_length_says_nothing(
    volume: Volume, week: SmallWeek, horizon_days: int
) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    write_record(volume, PREDICTION_SUMMARY, before, {"horizon_days": horizon_days})
    # Periods of five days and of seven are both preceded by the one that began a week before.
    for days in (5, 7):
        found = last_published(volume, Period(week.as_of, days))
        assert (found is not None) == (days == horizon_days)


def test_a_set_in_which_nothing_was_right_was_worth_nothing(volume: Volume, week: SmallWeek) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, pd.DataFrame({"customer_id": [1], "product_id": [1]}))
    assert published(volume, Period(week.as_of, 7)).figures == {"set_f1": 0.0, "ndcg": 0.0}


def test_a_period_in_which_nobody_bought_says_nothing_of_what_was_published(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    (newest,) = transaction_partitions(volume, week.as_of, before).values()
    pq.write_table(pq.read_table(newest).slice(0, 0), newest)
    assert last_published(volume, Period(week.as_of, 7)) is None


def test_without_predictions_of_the_period_before_nothing_is_known(volume: Volume, week: SmallWeek) -> None:
    assert last_published(volume, Period(week.as_of, 7)) is None
    two_before = week.as_of - timedelta(weeks=2)
    publish(volume, two_before, bought(volume, two_before, week.as_of))
    assert last_published(volume, Period(week.as_of, 7)) is None


def test_who_first_buys_in_a_period_is_held_against_neither_lists_nor_rules(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    everyone = bought(volume, date.min, before)["customer_id"]
    first_time = everyone.unique()[:3]
    for part in transaction_partitions(volume, before).values():
        rows = pq.read_table(part)
        others = pc.invert(pc.is_in(rows["customer_id"], pa.array(first_time)))
        pq.write_table(rows.filter(others), part)
    truth = bought(volume, before, week.as_of)
    assert set(first_time) <= set(truth["customer_id"])
    publish(volume, before, truth)

    found = published(volume, Period(week.as_of, 7))

    assert found.figures == {"set_f1": 1.0, "ndcg": pytest.approx(1.0)}


def test_of_more_customers_than_memory_holds_some_are_held_against_their_purchases(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    everyone = published(volume, Period(week.as_of, 7))
    monkeypatch.setattr(records, "MOST_CUSTOMERS", 5)
    some = published(volume, Period(week.as_of, 7))
    assert some.figures == everyone.figures
    assert some.of_rules("set_f1") != everyone.of_rules("set_f1")


def test_this_week_is_one_row_a_customer_with_purchases_and_a_product(week: SmallWeek) -> None:
    scoring = week.volume.read(SCORING, week.as_of).to_pandas()
    with_past = scoring[scoring["customer_tenure_days"].notna()]
    assert with_past["customer_id"].nunique() == scoring["customer_id"].nunique() - 1

    units = current_units(week.volume, Period(week.as_of, 7), seed=3)

    pd.testing.assert_frame_equal(units, sample_one_per_entity(with_past, seed=3))


def test_the_weeks_of_the_quality_record_end_with_the_newest(week: SmallWeek) -> None:
    weeks = week.volume.read_json(QUALITY, week.as_of)["weeks"]
    names = ("purchases", "cancelled", "returned")
    assert weekly_sales(week.volume, Period(week.as_of, 7)) == [
        {name: each[name] for name in names} for each in weeks
    ]


def test_the_days_of_a_week_that_a_period_cuts_count_with_the_week_before(
    volume: Volume, week: SmallWeek
) -> None:
    wednesday = week.as_of + timedelta(days=2)
    sold = [
        {"week": str(week.as_of + timedelta(weeks=back)), "purchases": n, "cancelled": 2 * n, "returned": 1}
        for back, n in ((-2, 100), (-1, 90), (0, 7))
    ]
    write_record(volume, QUALITY, wednesday, {"weeks": sold})
    assert weekly_sales(volume, Period(wednesday, 7)) == [
        {"purchases": 100, "cancelled": 200, "returned": 1},
        {"purchases": 97, "cancelled": 194, "returned": 2},
    ]


@pytest.mark.parametrize(("days", "weeks"), [(0, 0.0), (7, 1.0), (10, 10 / 7), (-7, -1.0)])
def test_the_age_of_a_champion_counts_from_the_period_that_it_was_trained_for(
    days: int, weeks: float
) -> None:
    period = Period(date(2024, 4, 15) + timedelta(days=days), 7)
    assert champion_of("2024-04-15").age_weeks(period) == pytest.approx(weeks)
    assert champion_of("2024-04-15").since_training_weeks(period) == pytest.approx(weeks)


def champion_of(as_of: str, newest_training: date | None = None) -> Champion:
    """A champion that was trained for the period of that day, and does nothing."""
    model = TrainedModel(Pipeline([("none", "passthrough")]), {"as_of": as_of})
    return Champion(model, pa.table({}), newest_training)


@pytest.mark.parametrize(
    ("newest", "weeks"), [(date(2024, 6, 3), 1.0), (date(2024, 4, 15), 8.0), (date(2024, 3, 4), 8.0)]
)
def test_a_training_that_was_not_promoted_counts_as_the_newest_and_an_older_one_does_not(
    newest: date, weeks: float
) -> None:
    period = Period(date(2024, 6, 10), 7)
    champion = champion_of("2024-04-15", newest)
    assert champion.since_training_weeks(period) == weeks
    assert champion.age_weeks(period) == 8.0
