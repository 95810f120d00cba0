"""Rows of the history and outcomes of earlier periods, worked out by hand."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from log_pipeline_metrics.core_history import (
    REALISED,
    challenger_leads,
    closed_periods,
    history_until,
    realised_metrics,
    replace_row,
    update_rows,
)
from log_pipeline_metrics.core_week import combine_shards

FIRST, SECOND = date(2024, 12, 30), date(2025, 1, 6)


def row(as_of: date, **values: Any) -> dict[str, Any]:
    model = {"branch": "retrain_model", "rule": "age", "promoted": False, "model_version": "1"}
    unknown = dict.fromkeys(("challenger_lead", *REALISED))
    return {"as_of": as_of, "horizon_days": 7, "set_f1": 0.5, **unknown, **model, **values}


def test_the_shards_of_a_stage_count_for_it() -> None:
    run = {"stage": "predict", "wall_seconds": 1.0, "cpu_seconds": 0.5, "peak_memory_mib": 300.0}
    shards = [
        {"stage": "predict", "wall_seconds": seconds, "cpu_seconds": 2.0, "peak_memory_mib": 400.0}
        for seconds in (3.0, 4.0)
    ]
    assert combine_shards(run, shards) == {
        "stage": "predict",
        "wall_seconds": 8.0,
        "cpu_seconds": 4.5,
        "peak_memory_mib": 400.0,
    }
    assert combine_shards(run, []) == run


def test_a_rerun_replaces_its_row_and_no_other() -> None:
    history = [row(FIRST, set_f1=0.4), row(SECOND, set_f1=0.5)]
    rerun = replace_row(history, row(FIRST, set_f1=0.6))
    assert [(week["as_of"], week["set_f1"]) for week in rerun] == [(FIRST, 0.6), (SECOND, 0.5)]


@pytest.mark.parametrize(
    ("published", "kept"), [({}, True), ({"model_version": "2"}, False), ({"branch": "load"}, False)]
)
def test_a_rerun_keeps_the_outcomes_unless_it_published_another_model(
    published: dict[str, str], kept: bool
) -> None:
    outcomes = {"challenger_lead": 0.01, "realised_pairs": 12.0, "realised_set_f1": 0.5}
    (rerun,) = replace_row([row(FIRST, **outcomes)], row(FIRST, **published))
    assert {name: rerun[name] for name in outcomes} == (outcomes if kept else dict.fromkeys(outcomes))


@pytest.mark.parametrize("promoted", [True, False])
def test_a_run_that_loads_the_model_that_its_period_promoted_keeps_the_training_in_the_row(
    promoted: bool,
) -> None:
    loads = row(FIRST, branch="load_existing_model", rule="none", set_f1=0.6)
    trained = row(FIRST, promoted=promoted, challenger_lead=0.01)
    (rerun,) = replace_row([trained], loads)
    names = ("branch", "rule", "promoted", "challenger_lead")
    expected = trained if promoted else loads
    assert {name: rerun[name] for name in names} == {name: expected[name] for name in names}
    assert rerun["set_f1"] == 0.6
    (other,) = replace_row([trained], {**loads, "model_version": "2"})
    assert other == {**loads, "model_version": "2"}


def test_rows_are_in_order_of_time_whatever_the_order_of_the_runs() -> None:
    history = replace_row([row(SECOND)], row(FIRST))
    assert [week["as_of"] for week in history] == [FIRST, SECOND]


def test_a_period_is_closed_on_the_day_after_its_last() -> None:
    history = [row(FIRST), row(SECOND)]
    assert closed_periods(history, date(2025, 1, 5)) == {}
    assert closed_periods(history, date(2025, 1, 6)) == {FIRST: SECOND}


def test_a_page_shows_the_outcomes_known_on_its_day_and_nothing_later() -> None:
    third = SECOND + timedelta(weeks=1)
    history = [row(day, realised_pairs=12.0) for day in (FIRST, SECOND, third)]
    shown = history_until(history, SECOND)
    assert [(week["as_of"], week["realised_pairs"]) for week in shown] == [(FIRST, 12.0), (SECOND, None)]


def test_outcomes_fill_their_own_week() -> None:
    history = update_rows([row(FIRST), row(SECOND)], {FIRST: {"realised_pairs": 12.0}})
    assert [week["realised_pairs"] for week in history] == [12.0, None]


def test_the_lead_of_a_training_is_in_the_row_of_its_own_week() -> None:
    training = {"as_of": str(FIRST), "difference": {"mean": 0.02, "low": 0.01, "high": 0.03}}
    leads = challenger_leads({"last_retraining": training})
    history = update_rows([row(FIRST, challenger_lead=None), row(SECOND, challenger_lead=None)], leads)
    assert [week["challenger_lead"] for week in history] == [0.02, None]


@pytest.mark.parametrize("training", [None, {"as_of": str(FIRST), "difference": None}])
def test_a_training_that_was_not_compared_changes_no_row(training: object) -> None:
    assert challenger_leads({"last_retraining": training}) == {}


def test_the_outcome_of_predictions_is_that_of_their_set_and_lists() -> None:
    predictions = pd.DataFrame(
        {
            "customer_id": [1, 1, 2],
            "product_id": [10, 20, 10],
            "rank": [1, 2, 1],
            "selected": [True, False, True],
        }
    )
    truth = pd.DataFrame({"customer_id": [1, 1, 3], "product_id": [10, 20, 10]})
    # One of two selected pairs is among three that were bought; customer 3 has no list.
    assert realised_metrics(predictions, truth) == {
        "realised_pairs": 3.0,
        "realised_set_f1": pytest.approx(2 * 1 / (2 + 3)),
        "realised_recall_at_10": pytest.approx((1 + 0) / 2),
    }
