"""History rows, outcomes and examples, worked out by hand."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from log_pipeline_metrics import core
from log_pipeline_metrics.core_examples import Ordinary, example_of, ordinary_customers, product_name
from log_pipeline_metrics.core_sections import customers_with_lists, trainings

FIRST, SECOND = date(2024, 12, 30), date(2025, 1, 6)


def row(as_of: date, **values: Any) -> dict[str, Any]:
    model = {"branch": "retrain_model", "rule": "age", "promoted": False, "model_version": "1"}
    unknown = dict.fromkeys(("challenger_lead", *core.REALISED))
    return {"as_of": as_of, "horizon_days": 7, "set_f1": 0.5, **unknown, **model, **values}


def test_the_shards_of_a_stage_count_with_it() -> None:
    run = {"stage": "made", "wall_seconds": 1.0, "cpu_seconds": 0.5, "peak_memory_mib": 300.0}
    shards = [
        {"stage": "made", "wall_seconds": seconds, "cpu_seconds": 2.0, "peak_memory_mib": 400.0}
        for seconds in (3.0, 4.0)
    ]
    assert core.together(run, shards) == {
        "stage": "made",
        "wall_seconds": 8.0,
        "cpu_seconds": 4.5,
        "peak_memory_mib": 400.0,
    }
    assert core.together(run, []) == run


def test_a_rerun_replaces_its_row_and_touches_no_other() -> None:
    history = [row(FIRST, set_f1=0.4), row(SECOND, set_f1=0.5)]
    again = core.with_row(history, row(FIRST, set_f1=0.6))
    assert [(week["as_of"], week["set_f1"]) for week in again] == [(FIRST, 0.6), (SECOND, 0.5)]


@pytest.mark.parametrize(
    ("published", "kept"), [({}, True), ({"model_version": "2"}, False), ({"branch": "load"}, False)]
)
def test_a_rerun_keeps_what_a_later_one_found_out_unless_it_published_another_model(
    published: dict[str, str], kept: bool
) -> None:
    found_out = {"challenger_lead": 0.01, "realised_pairs": 12.0, "realised_set_f1": 0.5}
    (again,) = core.with_row([row(FIRST, **found_out)], row(FIRST, **published))
    assert {name: again[name] for name in found_out} == (found_out if kept else dict.fromkeys(found_out))


@pytest.mark.parametrize("promoted", [True, False])
def test_a_run_that_loads_what_its_own_period_promoted_goes_on_to_tell_of_that_training(
    promoted: bool,
) -> None:
    loads = row(FIRST, branch="load_existing_model", rule="none", set_f1=0.6)
    trained = row(FIRST, promoted=promoted, challenger_lead=0.01)
    (again,) = core.with_row([trained], loads)
    told = {name: again[name] for name in ("branch", "rule", "promoted", "challenger_lead")}
    assert told == {name: (trained if promoted else loads)[name] for name in told}
    assert again["set_f1"] == 0.6
    (other,) = core.with_row([trained], {**loads, "model_version": "2"})
    assert other == {**loads, "model_version": "2"}


def test_rows_stand_in_order_of_time_whatever_the_order_of_the_runs() -> None:
    history = core.with_row([row(SECOND)], row(FIRST))
    assert [week["as_of"] for week in history] == [FIRST, SECOND]


def test_a_period_is_closed_on_the_day_after_its_last() -> None:
    history = [row(FIRST), row(SECOND)]
    assert core.closed_periods(history, date(2025, 1, 5)) == {}
    assert core.closed_periods(history, date(2025, 1, 6)) == {FIRST: SECOND}


def test_a_page_knows_what_came_true_by_its_own_day_and_nothing_later() -> None:
    third = SECOND + timedelta(weeks=1)
    history = [row(day, realised_pairs=12.0) for day in (FIRST, SECOND, third)]
    shown = core.known_on(history, SECOND)
    assert [(week["as_of"], week["realised_pairs"]) for week in shown] == [(FIRST, 12.0), (SECOND, None)]


def test_outcomes_fill_their_own_week() -> None:
    history = core.with_realised([row(FIRST), row(SECOND)], {FIRST: {"realised_pairs": 12.0}})
    assert [week["realised_pairs"] for week in history] == [12.0, None]


def test_what_a_training_was_worth_stands_in_the_row_of_its_own_week() -> None:
    training = {"as_of": str(FIRST), "difference": {"mean": 0.02, "low": 0.01, "high": 0.03}}
    leads = core.challenger_lead({"last_retraining": training})
    history = core.with_realised([row(FIRST, challenger_lead=None), row(SECOND, challenger_lead=None)], leads)
    assert [week["challenger_lead"] for week in history] == [0.02, None]


@pytest.mark.parametrize("training", [None, {"as_of": str(FIRST), "difference": None}])
def test_a_training_that_was_not_compared_leaves_the_history_as_it_is(training: object) -> None:
    assert core.challenger_lead({"last_retraining": training}) == {}


def test_the_precision_of_alarms_counts_the_trainings_whose_next_period_is_known() -> None:
    leads = [None, 0.02, -0.01, 0.004, None]
    history = [
        row(
            FIRST + timedelta(weeks=week),
            branch="retrain_model",
            rule="drift",
            promoted=True,
            challenger_lead=lead,
        )
        for week, lead in enumerate(leads)
    ]
    kept = row(FIRST - timedelta(weeks=1), branch="load_existing_model", challenger_lead=None)
    section = trainings([kept, *history])
    assert section["text"].startswith("2 of 3 trainings gave a challenger that beat the champion")
    assert "precision of 67%" in section["text"]
    assert [line[-1] for line in section["rows"]] == ["–", "+0.0040", "-0.0100", "+0.0200", "–"]


def test_before_any_training_was_judged_nothing_is_said_of_its_worth() -> None:
    assert "is known once the period after it is over" in trainings([])["text"]


def test_what_a_published_set_came_to() -> None:
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
    assert core.realised(predictions, truth) == {
        "realised_pairs": 3.0,
        "realised_set_f1": pytest.approx(2 * 1 / (2 + 3)),
        "realised_recall_at_10": pytest.approx((1 + 0) / 2),
    }


def test_the_ordinary_customer_of_a_type_is_the_one_with_the_median_volume() -> None:
    customers = pd.DataFrame(
        {
            "customer_id": [1, 3, 2, 4],
            "customer_type": ["KIOSCO", "KIOSCO", "KIOSCO", None],
            "expected": [0.1, 0.3, 0.2, 0.4],
        }
    )
    assert ordinary_customers(customers) == [Ordinary("KIOSCO", 3, 2), Ordinary("type not known", 1, 4)]
    assert ordinary_customers(customers[:0]) == []


def test_an_example_shows_the_top_of_a_list_with_the_names_of_its_products() -> None:
    products = [{"product_id": number, "probability": 0.5} for number in range(10, 20)]
    shown = example_of(Ordinary("KIOSCO", 3, 2), products, {10: "B, LATA, 0.33 l"}).products
    assert [item["product_id"] for item in shown] == [10, 11, 12, 13, 14]
    assert [item["name"] for item in shown[:2]] == ["B, LATA, 0.33 l", ""]


def test_a_product_without_attributes_has_no_name() -> None:
    nameless = {"brand": None, "sub_category": None, "package": None, "size": None}
    assert product_name(nameless) == ""


@pytest.mark.parametrize(
    ("full", "short", "told"),
    [
        (1490, {}, ("1,490", "of 1,490, 10 products each")),
        (1488, {"7": 4, "9": 0}, ("1,489", "of 1,490, 1,488 with all 10 products")),
        (1489, {"9": 0}, ("1,489", "of 1,490, 10 products each")),
        (0, {str(customer): 8 for customer in range(1490)}, ("1,490", "of 1,490, 0 with all 10 products")),
    ],
)
def test_a_customer_with_a_short_list_has_a_list(
    full: int, short: dict[str, int], told: tuple[str, str]
) -> None:
    summary = {"k": 10, "n_customers": 1490, "n_customers_with_full_list": full, "short_lists": short}
    assert customers_with_lists(summary) == told
