"""Each rule at its threshold, the order of the rules, and the record of the decision."""

from datetime import date

import pytest

from detect_data_drift.core_rules import (
    AGE,
    BACKFILL,
    DRIFT,
    FORCED,
    HORIZON,
    NO_CHAMPION,
    NONE,
    Decision,
    Distance,
    Margin,
    Signal,
    Thresholds,
    check_age,
    check_backfill,
    check_champion,
    check_demand,
    check_features,
    check_force,
    check_horizon,
    check_predictions,
    check_realised,
    check_returns,
    decide,
    to_record,
)
from sodai.data.catalog import LOAD, RETRAIN

LIMITS = Thresholds(
    drift_share=0.25,
    prediction_drift=0.3,
    demand_deviation=4.0,
    returned_ratio=3.0,
    realised_lead=0.0,
    max_age_weeks=8,
    cool_down_weeks=2,
)
AS_OF = date(2025, 1, 6)
SET, LISTS = "realised_set_lead", "realised_list_lead"
# 1,500 customers and 12,000 rows of the reference: chance moves them by less than any threshold.
MANY = (1500, 12_000)
# Median 100, median distance from it 10: one robust deviation is 14.826 pairs.
KNOWN_WEEKS = [80.0, 90.0, 100.0, 110.0, 120.0]


def sold_weeks(n_back: int, n_sold: int = 1000, n_weeks: int = 9) -> list[dict[str, int]]:
    """Return weeks in which 40 of 1,000 sales were taken back, and a newest one with `n_back`."""
    usual = {"purchases": 960, "cancelled": 30, "returned": 10}
    newest = {"purchases": n_sold - n_back, "cancelled": n_back, "returned": 0}
    return [*[usual] * (n_weeks - 1), newest]


def quiet() -> list[Signal]:
    """Return the signals of a young champion in a week like those of its reference."""
    return [
        check_champion("3"),
        check_force(False),
        check_horizon(7, 7),
        check_backfill(AS_OF, AS_OF),
        check_features(0.0, False, LIMITS),
        check_predictions(Distance(0.0, *MANY), False, LIMITS),
        check_demand(100.0, KNOWN_WEEKS, False, LIMITS),
        check_returns(sold_weeks(40), False, LIMITS),
        check_realised(SET, Margin(0.1, 0.01), False, LIMITS),
        check_realised(LISTS, Margin(0.1, 0.01), False, LIMITS),
        check_age(3.0, 3.0, LIMITS),
    ]


def loud() -> list[Signal]:
    """Return the signals when every rule asks for training."""
    return [
        check_champion(None),
        check_force(True),
        check_horizon(5, 7),
        check_backfill(date(2025, 1, 13), AS_OF),
        check_features(1.0, False, LIMITS),
        check_predictions(Distance(1.5, *MANY), False, LIMITS),
        check_demand(1000.0, KNOWN_WEEKS, False, LIMITS),
        check_returns(sold_weeks(400), False, LIMITS),
        check_realised(SET, Margin(-0.1, 0.01), False, LIMITS),
        check_realised(LISTS, Margin(-0.1, 0.01), False, LIMITS),
        check_age(9.0, 9.0, LIMITS),
    ]


def test_a_quiet_week_loads_the_champion() -> None:
    assert not any(signal.fired for signal in quiet())
    assert decide(quiet()) == Decision(LOAD, NONE, "no rule asks for training")


@pytest.mark.parametrize(
    ("position", "rule", "reason"),
    [
        (0, NO_CHAMPION, "there is no champion yet"),
        (1, FORCED, "training was forced"),
        (2, HORIZON, "the champion was trained for periods of 5 days, this one has 7"),
        (3, BACKFILL, "the champion was trained for the later period of 2025-01-13, and has seen this one"),
        (4, DRIFT, "100% of the tested columns drifted, 25% or more ask for training"),
        (
            5,
            DRIFT,
            "the champion's answers are 1.50 standard deviations from those on its reference, "
            "0.3 or more ask for training",
        ),
        (
            6,
            DRIFT,
            "the demand of the last week is 60.7 robust deviations from the champion's weeks, "
            "4 or more ask for training",
        ),
        (
            7,
            DRIFT,
            "7.9 times the usual share of the last week's sales was taken back, "
            "3 times or more ask for training",
        ),
        (
            8,
            DRIFT,
            "the last published set had an F1 of -0.100 against the best rule, "
            "less than -0.010 asks for training",
        ),
        (
            9,
            DRIFT,
            "the last published lists had an NDCG@10 of -0.100 against the best rule, "
            "less than -0.010 asks for training",
        ),
        (10, AGE, "the champion is 9 weeks old, 8 or more ask for training"),
    ],
)
def test_each_rule_alone_asks_for_training_and_says_why(position: int, rule: str, reason: str) -> None:
    signals = quiet()
    signals[position] = loud()[position]
    assert decide(signals) == Decision(RETRAIN, rule, reason)


def test_the_rules_decide_in_a_fixed_order() -> None:
    rules = []
    for first in range(len(loud())):
        rules.append(decide([*quiet()[:first], *loud()[first:]]).rule)
    assert rules == [NO_CHAMPION, FORCED, HORIZON, BACKFILL, *[DRIFT] * 6, AGE]


def test_only_a_champion_of_a_later_period_has_seen_this_one() -> None:
    later = check_backfill(date(2025, 1, 7), AS_OF)
    assert (later.fired, later.value) == (True, "2025-01-07")
    assert later.would_flip == "a period of 2025-01-07 or later"
    own = check_backfill(AS_OF, AS_OF)
    assert (own.fired, own.would_flip) == (False, "a period before 2025-01-06")


@pytest.mark.parametrize(("share", "fired"), [(0.249999, False), (0.25, True), (0.250001, True)])
def test_a_share_of_drifted_columns_fires_from_its_threshold_on(share: float, fired: bool) -> None:
    signal = check_features(share, False, LIMITS)
    assert (signal.fired, signal.value, signal.threshold) == (fired, share, 0.25)
    assert signal.would_flip == f"share of drifted columns {'below' if fired else 'of'} 0.25"


@pytest.mark.parametrize(
    ("newest", "deviation", "fired"),
    [
        (100.0, 0.0, False),
        (114.826, 1.0, False),
        (85.174, 1.0, False),
        (159.303, 3.999933, False),
        (159.305, 4.000067, True),
        (40.695, 4.000067, True),
    ],
)
def test_demand_is_measured_in_robust_deviations_to_both_sides(
    newest: float, deviation: float, fired: bool
) -> None:
    signal = check_demand(newest, KNOWN_WEEKS, False, LIMITS)
    assert signal.value == pytest.approx(deviation, abs=1e-6)
    assert signal.fired is fired


def test_one_odd_week_of_the_reference_does_not_widen_the_usual_range() -> None:
    odd = [*KNOWN_WEEKS[:-1], 5_000.0]
    assert check_demand(160.0, odd, False, LIMITS).fired


def test_weeks_without_any_spread_allow_a_share_of_their_median() -> None:
    # 8 % of 100 is 8 pairs, four of them 32.
    equal = [100.0] * 5
    assert check_demand(116.0, equal, False, LIMITS).value == pytest.approx(2.0)
    assert not check_demand(131.9, equal, False, LIMITS).fired
    assert check_demand(132.0, equal, False, LIMITS).fired


def test_weeks_without_any_purchase_have_a_spread_of_one_pair() -> None:
    assert check_demand(3.0, [0.0, 0.0], False, LIMITS).value == 3.0
    assert check_demand(4.0, [0.0, 0.0], False, LIMITS).fired


def test_one_week_of_the_reference_is_enough_to_measure_demand() -> None:
    assert check_demand(132.0, [100.0], False, LIMITS).value == pytest.approx(4.0)


@pytest.mark.parametrize(("distance", "fired"), [(0.0, False), (0.299, False), (0.3, True)])
def test_predictions_far_from_those_on_the_reference_fire(distance: float, fired: bool) -> None:
    signal = check_predictions(Distance(distance, *MANY), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (distance, 0.3, fired)


@pytest.mark.parametrize(
    ("n_customers", "threshold"), [(3, 1.224745), (24, 0.433013), (49, 0.303046), (51, 0.3), (1500, 0.3)]
)
def test_predictions_for_few_customers_need_a_larger_distance(n_customers: int, threshold: float) -> None:
    # Eight periods of the reference: 2 * sqrt(1 / n + 1 / 8n), and at least the threshold for many customers.
    below, on = (
        check_predictions(Distance(threshold + step, n_customers, 8 * n_customers), False, LIMITS)
        for step in (-0.001, 0.001)
    )
    assert (below.fired, on.fired) == (False, True)
    assert below.threshold == on.threshold == pytest.approx(threshold, abs=1e-6)
    assert below.would_flip == f"standard deviations between the champion's answers of {below.threshold:g}"


def test_predictions_that_were_not_compared_never_fire() -> None:
    signal = check_predictions(None, False, LIMITS)
    assert (signal.value, signal.fired) == (None, False)
    assert signal.would_flip == "customers on both sides to compare"


@pytest.mark.parametrize(("n_back", "fired"), [(40, False), (143, False), (145, True), (0, False)])
def test_returns_are_measured_in_multiples_of_the_usual_share(n_back: int, fired: bool) -> None:
    # 300 sales with the usual share of .04 are added to the 1,000 of the week.
    signal = check_returns(sold_weeks(n_back), False, LIMITS)
    assert signal.value == pytest.approx((n_back + 12) / 1300 / 0.04, abs=1e-6)
    assert signal.fired is fired


def test_three_returns_in_a_week_of_twenty_sales_are_no_spike() -> None:
    assert not check_returns(sold_weeks(3, n_sold=20), False, LIMITS).fired


def test_one_earlier_week_of_returns_does_not_change_the_usual_share() -> None:
    weeks = sold_weeks(145)
    weeks[2] = {"purchases": 500, "cancelled": 500, "returned": 0}
    assert check_returns(weeks, False, LIMITS) == check_returns(sold_weeks(145), False, LIMITS)


def test_the_usual_share_is_that_of_the_eight_weeks_before() -> None:
    old = [{"purchases": 1, "cancelled": 999, "returned": 0}] * 30
    assert check_returns([*old, *sold_weeks(145)], False, LIMITS).fired


def test_without_earlier_returns_a_small_share_is_no_spike() -> None:
    calm = [{"purchases": 1000, "cancelled": 0, "returned": 0}] * 8
    few, many = ({"purchases": 1000 - n, "cancelled": n, "returned": 0} for n in (17, 19))
    assert not check_returns([*calm, few], False, LIMITS).fired
    assert check_returns([*calm, many], False, LIMITS).fired


@pytest.mark.parametrize("n_weeks", [1, 2])
def test_returns_need_an_earlier_week_to_be_measured(n_weeks: int) -> None:
    signal = check_returns(sold_weeks(400, n_weeks=n_weeks), False, LIMITS)
    assert (signal.value is None, signal.fired) == (n_weeks == 1, n_weeks == 2)


@pytest.mark.parametrize(
    ("mean", "fired"), [(-0.05, True), (-0.0201, True), (-0.02, False), (-0.001, False), (0.0, False)]
)
def test_predictions_worse_than_the_best_baseline_by_more_than_chance_fire(mean: float, fired: bool) -> None:
    signal = check_realised(SET, Margin(mean, 0.02), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (mean, -0.02, fired)
    assert signal.would_flip == f"lead over the best rule {'of' if fired else 'below'} -0.02"


def test_predictions_as_good_as_the_best_baseline_do_not_fire() -> None:
    signal = check_realised(SET, Margin(0.0, 0.0), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (0.0, 0.0, False)
    assert signal.would_flip == "lead over the best rule below 0"


def test_a_margin_of_too_few_customers_is_recorded_and_never_fires() -> None:
    signal = check_realised(SET, Margin(-0.5, None), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (-0.5, None, False)
    assert signal.would_flip == "30 customers or more who bought in the period before"


def test_without_published_predictions_the_signal_is_recorded_and_never_fires() -> None:
    signal = check_realised(LISTS, None, False, LIMITS)
    assert (signal.name, signal.value, signal.fired) == (LISTS, None, False)
    assert signal.would_flip == "predictions of the period before, and purchases in it"


@pytest.mark.parametrize(("weeks", "fired"), [(0.0, False), (7.99, False), (8.0, True), (-4.0, False)])
def test_a_champion_is_too_old_from_the_maximum_age_on(weeks: float, fired: bool) -> None:
    signal = check_age(weeks, weeks, LIMITS)
    assert (signal.value, signal.fired) == (weeks, fired)
    assert signal.would_flip == ("an age below 8 weeks" if fired else "an age of 8 weeks")


def test_the_age_that_replaces_a_champion_can_be_set() -> None:
    assert check_age(3.0, 3.0, Thresholds(max_age_weeks=3)).fired
    assert not check_age(3.0, 3.0, Thresholds(max_age_weeks=4)).fired


@pytest.mark.parametrize(("waited", "fired"), [(1.0, False), (1.99, False), (2.0, True), (9.0, True)])
def test_an_old_champion_whose_challenger_was_rejected_waits_for_the_cool_down(
    waited: float, fired: bool
) -> None:
    signal = check_age(9.0, waited, LIMITS)
    assert (signal.value, signal.fired) == (9.0, fired)
    assert signal.would_flip == (
        "an age below 8 weeks" if fired else "a newest training older than the cool-down"
    )


def test_a_maximum_age_of_one_week_trains_every_week() -> None:
    assert check_age(1.0, 1.0, Thresholds(max_age_weeks=1)).fired


@pytest.mark.parametrize(
    "signal",
    [
        check_features(1.0, True, LIMITS),
        check_demand(1000.0, KNOWN_WEEKS, True, LIMITS),
        check_predictions(Distance(1.5, *MANY), True, LIMITS),
        check_returns(sold_weeks(400), True, LIMITS),
        check_realised(SET, Margin(-0.1, 0.01), True, LIMITS),
    ],
    ids=lambda signal: signal.name,
)
def test_drift_asks_for_no_training_during_the_cool_down(signal: Signal) -> None:
    assert not signal.fired
    assert signal.would_flip == "a newest training older than the cool-down"
    assert decide([*quiet()[:2], signal]).branch == LOAD


def test_a_calm_signal_names_its_threshold_during_the_cool_down_too() -> None:
    assert check_features(0.1, True, LIMITS).would_flip == "share of drifted columns of 0.25"


def test_a_cool_down_does_not_stop_a_forced_training() -> None:
    cooling = [check_champion("3"), check_force(True), check_features(1.0, True, LIMITS)]
    assert decide(cooling).rule == FORCED


def test_the_signals_of_registry_and_option_name_what_would_have_flipped_them() -> None:
    assert check_champion(None).would_flip == "a champion in the registry"
    assert check_champion("3").would_flip == "no champion in the registry"
    assert check_force(True).would_flip == "force_retrain left out"
    assert check_force(False).would_flip == "force_retrain"


def test_the_record_has_the_decision_and_every_signal() -> None:
    signals = [check_champion("3"), check_features(0.5, False, LIMITS)]
    assert to_record(decide(signals), signals, {"as_of": "2024-04-22"}) == {
        "branch": "retrain_model",
        "rule": "drift",
        "reason": "50% of the tested columns drifted, 25% or more ask for training",
        "as_of": "2024-04-22",
        "signals": [
            {
                "name": "champion",
                "rule": "no_champion",
                "value": "3",
                "threshold": None,
                "fired": False,
                "would_flip": "no champion in the registry",
            },
            {
                "name": "drift_share",
                "rule": "drift",
                "value": 0.5,
                "threshold": 0.25,
                "fired": True,
                "would_flip": "share of drifted columns below 0.25",
            },
        ],
    }
