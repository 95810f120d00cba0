"""The inputs of the decision: demand of the weeks, published predictions, returns, and the champion."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.pipeline import Pipeline

from detect_data_drift import inputs
from detect_data_drift.champion import Champion
from detect_data_drift.core_realised import RealisedMetrics
from detect_data_drift.inputs import read_demand, read_entities, read_realised_metrics, read_weekly_sales
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
    """Publish the selected pairs in their order as predictions, and one pair that is not selected."""
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


def test_demand_is_the_number_of_pairs_bought_in_the_last_seven_days(week: SmallWeek) -> None:
    volume, period = week.volume, Period(week.as_of, 7)
    reference = volume.read(TRAINING, week.as_of)
    newest, known = read_demand(volume, period, reference)
    assert newest == len(bought(volume, week.as_of - timedelta(weeks=1), week.as_of))
    cutoffs = sorted(set(reference["cutoff"].to_pylist()))
    assert known == [len(bought(volume, cutoff - timedelta(weeks=1), cutoff)) for cutoff in cutoffs]


def realised(volume: Volume, period: Period) -> RealisedMetrics:
    metrics = read_realised_metrics(volume, period)
    assert metrics is not None
    return metrics


def test_a_published_set_is_compared_with_the_purchases_of_its_period(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, week.as_of)
    wrong = pd.DataFrame({"customer_id": 1001, "product_id": range(900_000, 900_010)})
    publish(volume, before, pd.concat([truth.head(30), wrong], ignore_index=True))

    metrics = realised(volume, Period(week.as_of, 7))

    assert metrics.published["set_f1"] == pytest.approx(2 * 30 / (40 + len(truth)))


def test_the_baselines_of_the_period_are_compared_with_the_same_purchases(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, week.as_of)
    publish(volume, before, truth)
    rules = baselines(read_transactions(volume, before).to_pandas(), before)

    metrics = realised(volume, Period(week.as_of, 7))

    assert metrics.of_baselines("set_f1") == {
        name: pytest.approx(set_metrics(rule.selected, truth)["set_f1"]) for name, rule in rules.items()
    }
    # The lists are exactly what was bought, and none has more than ten products.
    assert truth.groupby("customer_id").size().max() <= 10
    assert metrics.published["ndcg"] == pytest.approx(1.0)
    assert max(metrics.of_baselines("ndcg").values()) < 1.0


def test_a_shorter_period_is_compared_with_the_purchases_of_its_days(volume: Volume, week: SmallWeek) -> None:
    before = week.as_of - timedelta(weeks=1)
    truth = bought(volume, before, before + timedelta(days=5))
    assert len(truth) < len(bought(volume, before, week.as_of))
    publish(volume, before, truth)
    assert realised(volume, Period(week.as_of, 5)).published["set_f1"] == 1.0


@pytest.mark.parametrize("horizon_days", [5, 7])
def test_predictions_for_a_period_of_another_length_are_not_used(
    volume: Volume, week: SmallWeek, horizon_days: int
) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    write_record(volume, PREDICTION_SUMMARY, before, {"horizon_days": horizon_days})
    # The period before one of five days starts a week earlier, as that before one of seven days does.
    for days in (5, 7):
        metrics = read_realised_metrics(volume, Period(week.as_of, days))
        assert (metrics is not None) == (days == horizon_days)


def test_a_set_without_a_hit_has_metrics_of_zero(volume: Volume, week: SmallWeek) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, pd.DataFrame({"customer_id": [1], "product_id": [1]}))
    assert realised(volume, Period(week.as_of, 7)).published == {"set_f1": 0.0, "ndcg": 0.0}


def test_a_period_without_purchases_has_no_metrics(volume: Volume, week: SmallWeek) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    (newest,) = transaction_partitions(volume, week.as_of, before).values()
    pq.write_table(pq.read_table(newest).slice(0, 0), newest)
    assert read_realised_metrics(volume, Period(week.as_of, 7)) is None


def test_without_predictions_of_the_period_before_none_is_measured(volume: Volume, week: SmallWeek) -> None:
    assert read_realised_metrics(volume, Period(week.as_of, 7)) is None
    two_before = week.as_of - timedelta(weeks=2)
    publish(volume, two_before, bought(volume, two_before, week.as_of))
    assert read_realised_metrics(volume, Period(week.as_of, 7)) is None


def test_customers_without_earlier_purchases_count_neither_for_lists_nor_for_baselines(
    volume: Volume, week: SmallWeek
) -> None:
    before = week.as_of - timedelta(weeks=1)
    everyone = bought(volume, date.min, before)["customer_id"]
    first_time = everyone.unique()[:3]
    for partition in transaction_partitions(volume, before).values():
        rows = pq.read_table(partition)
        others = pc.invert(pc.is_in(rows["customer_id"], pa.array(first_time)))
        pq.write_table(rows.filter(others), partition)
    truth = bought(volume, before, week.as_of)
    assert set(first_time) <= set(truth["customer_id"])
    publish(volume, before, truth)

    metrics = realised(volume, Period(week.as_of, 7))

    assert metrics.published == {"set_f1": 1.0, "ndcg": pytest.approx(1.0)}


def test_of_too_many_customers_a_sample_is_compared_with_its_purchases(
    volume: Volume, week: SmallWeek, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = week.as_of - timedelta(weeks=1)
    publish(volume, before, bought(volume, before, week.as_of))
    everyone = realised(volume, Period(week.as_of, 7))
    monkeypatch.setattr(inputs, "MAX_CUSTOMERS", 5)
    some = realised(volume, Period(week.as_of, 7))
    assert some.published == everyone.published
    assert some.of_baselines("set_f1") != everyone.of_baselines("set_f1")


def test_this_week_has_one_row_per_customer_with_purchases_and_one_per_product(week: SmallWeek) -> None:
    scoring = week.volume.read(SCORING, week.as_of).to_pandas()
    with_past = scoring[scoring["customer_tenure_days"].notna()]
    assert with_past["customer_id"].nunique() == scoring["customer_id"].nunique() - 1

    entities = read_entities(week.volume, Period(week.as_of, 7), seed=3)

    pd.testing.assert_frame_equal(entities, sample_one_per_entity(with_past, seed=3))


def test_the_weeks_of_the_quality_record_end_with_the_newest(week: SmallWeek) -> None:
    weeks = week.volume.read_json(QUALITY, week.as_of)["weeks"]
    names = ("purchases", "cancelled", "returned")
    assert read_weekly_sales(week.volume, Period(week.as_of, 7)) == [
        {name: each[name] for name in names} for each in weeks
    ]


def test_the_first_days_of_a_week_in_which_a_period_starts_count_with_the_week_before(
    volume: Volume, week: SmallWeek
) -> None:
    wednesday = week.as_of + timedelta(days=2)
    weeks = [
        {"week": str(week.as_of + timedelta(weeks=back)), "purchases": n, "cancelled": 2 * n, "returned": 1}
        for back, n in ((-2, 100), (-1, 90), (0, 7))
    ]
    write_record(volume, QUALITY, wednesday, {"weeks": weeks})
    assert read_weekly_sales(volume, Period(wednesday, 7)) == [
        {"purchases": 100, "cancelled": 200, "returned": 1},
        {"purchases": 97, "cancelled": 194, "returned": 2},
    ]


@pytest.mark.parametrize(("days", "weeks"), [(0, 0.0), (7, 1.0), (10, 10 / 7), (-7, -1.0)])
def test_the_age_of_a_champion_counts_from_the_period_that_it_was_trained_for(
    days: int, weeks: float
) -> None:
    period = Period(date(2024, 4, 15) + timedelta(days=days), 7)
    assert untrained_champion("2024-04-15").age_weeks(period) == pytest.approx(weeks)
    assert untrained_champion("2024-04-15").since_training_weeks(period) == pytest.approx(weeks)


def untrained_champion(as_of: str, newest_training: date | None = None) -> Champion:
    """Return a champion of that day with an empty model and reference."""
    model = TrainedModel(Pipeline([("none", "passthrough")]), {"as_of": as_of})
    return Champion(model, pa.table({}), newest_training)


@pytest.mark.parametrize(
    ("newest", "weeks"), [(date(2024, 6, 3), 1.0), (date(2024, 4, 15), 8.0), (date(2024, 3, 4), 8.0)]
)
def test_a_training_that_was_not_promoted_counts_as_the_newest_and_an_older_one_does_not(
    newest: date, weeks: float
) -> None:
    period = Period(date(2024, 6, 10), 7)
    champion = untrained_champion("2024-04-15", newest)
    assert champion.since_training_weeks(period) == weeks
    assert champion.age_weeks(period) == 8.0
