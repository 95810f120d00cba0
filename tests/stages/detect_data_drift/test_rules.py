"""Each rule alone at its threshold, the order in which they are heard, and what a record says of them."""

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
    Lead,
    Signal,
    Thresholds,
    champion_missing,
    decide,
    feature_drift,
    forced,
    other_horizon,
    prediction_drift,
    realised_lead,
    record,
    returned_ratio,
    too_old,
    trained_later,
    volume_drift,
)
from sodai.data.catalog import LOAD, RETRAIN

LIMITS = Thresholds(
    drift_share=0.25,
    prediction_drift=0.3,
    volume_deviation=4.0,
    returned_ratio=3.0,
    realised_lead=0.0,
    max_age_weeks=8,
    cool_down_weeks=2,
)
AS_OF = date(2025, 1, 6)
SET, LISTS = "realised_set_lead", "realised_list_lead"
# Of 1,500 customers beside 12,000 rows of the reference: chance moves them by less than any threshold.
MANY = (1500, 12_000)
# Median 100, median distance from it 10: one robust deviation is 14.826 pairs.
KNOWN_WEEKS = [80.0, 90.0, 100.0, 110.0, 120.0]


def sold_weeks(n_back: int, n_sold: int = 1000, n_weeks: int = 9) -> list[dict[str, int]]:
    """Weeks in which 40 of 1,000 sales were taken back, and a newest one of its own."""
    usual = {"purchases": 960, "cancelled": 30, "returned": 10}
    newest = {"purchases": n_sold - n_back, "cancelled": n_back, "returned": 0}
    return [*[usual] * (n_weeks - 1), newest]


def quiet() -> list[Signal]:
    """What the rules say of a young champion in a week like those that it knows."""
    return [
        champion_missing("3"),
        forced(False),
        other_horizon(7, 7),
        trained_later(AS_OF, AS_OF),
        feature_drift(0.0, False, LIMITS),
        prediction_drift(Distance(0.0, *MANY), False, LIMITS),
        volume_drift(100.0, KNOWN_WEEKS, False, LIMITS),
        returned_ratio(sold_weeks(40), False, LIMITS),
        realised_lead(SET, Lead(0.1, 0.01), False, LIMITS),
        realised_lead(LISTS, Lead(0.1, 0.01), False, LIMITS),
        too_old(3.0, 3.0, LIMITS),
    ]


def loud() -> list[Signal]:
    """What they say when every one of them asks for training."""
    return [
        champion_missing(None),
        forced(True),
        other_horizon(5, 7),
        trained_later(date(2025, 1, 13), AS_OF),
        feature_drift(1.0, False, LIMITS),
        prediction_drift(Distance(1.5, *MANY), False, LIMITS),
        volume_drift(1000.0, KNOWN_WEEKS, False, LIMITS),
        returned_ratio(sold_weeks(400), False, LIMITS),
        realised_lead(SET, Lead(-0.1, 0.01), False, LIMITS),
        realised_lead(LISTS, Lead(-0.1, 0.01), False, LIMITS),
        too_old(9.0, 9.0, LIMITS),
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
            "the champion's answers lie 1.50 standard deviations from those on its reference, "
            "0.3 or more ask for training",
        ),
        (
            6,
            DRIFT,
            "the volume of the last week lies 60.7 robust deviations from the champion's weeks, "
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


def test_the_rules_are_heard_in_a_fixed_order() -> None:
    heard = []
    for first in range(len(loud())):
        heard.append(decide([*quiet()[:first], *loud()[first:]]).rule)
    assert heard == [NO_CHAMPION, FORCED, HORIZON, BACKFILL, *[DRIFT] * 6, AGE]


def test_only_a_champion_of_a_later_period_has_seen_this_one() -> None:
    later = trained_later(date(2025, 1, 7), AS_OF)
    assert (later.fired, later.value) == (True, "2025-01-07")
    assert later.would_flip == "a period of 2025-01-07 or later"
    own = trained_later(AS_OF, AS_OF)
    assert (own.fired, own.would_flip) == (False, "a period before 2025-01-06")


@pytest.mark.parametrize(("share", "fired"), [(0.249999, False), (0.25, True), (0.250001, True)])
def test_a_share_of_drifted_columns_fires_from_its_threshold_on(share: float, fired: bool) -> None:
    signal = feature_drift(share, False, LIMITS)
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
def test_a_volume_is_measured_in_robust_deviations_to_both_sides(
    newest: float, deviation: float, fired: bool
) -> None:
    signal = volume_drift(newest, KNOWN_WEEKS, False, LIMITS)
    assert signal.value == pytest.approx(deviation, abs=1e-6)
    assert signal.fired is fired


def test_one_odd_week_among_those_known_does_not_widen_what_is_usual() -> None:
    odd = [*KNOWN_WEEKS[:-1], 5_000.0]
    assert volume_drift(160.0, odd, False, LIMITS).fired


def test_weeks_without_any_spread_allow_a_share_of_their_median() -> None:
    # 8 % of 100 is 8 pairs, four of them 32.
    alike = [100.0] * 5
    assert volume_drift(116.0, alike, False, LIMITS).value == pytest.approx(2.0)
    assert not volume_drift(131.9, alike, False, LIMITS).fired
    assert volume_drift(132.0, alike, False, LIMITS).fired


def test_weeks_without_any_purchase_have_a_spread_of_one_pair() -> None:
    assert volume_drift(3.0, [0.0, 0.0], False, LIMITS).value == 3.0
    assert volume_drift(4.0, [0.0, 0.0], False, LIMITS).fired


def test_one_known_week_is_enough_to_measure_a_volume() -> None:
    assert volume_drift(132.0, [100.0], False, LIMITS).value == pytest.approx(4.0)


@pytest.mark.parametrize(("distance", "fired"), [(0.0, False), (0.299, False), (0.3, True)])
def test_answers_far_from_those_on_the_reference_fire(distance: float, fired: bool) -> None:
    signal = prediction_drift(Distance(distance, *MANY), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (distance, 0.3, fired)


@pytest.mark.parametrize(
    ("n_customers", "threshold"), [(3, 1.224745), (24, 0.433013), (49, 0.303046), (51, 0.3), (1500, 0.3)]
)
def test_answers_to_few_customers_must_lie_farther_apart(n_customers: int, threshold: float) -> None:
    # Eight periods of the reference: 2 * sqrt(1 / n + 1 / 8n), and never less than what is set.
    below, on = (
        prediction_drift(Distance(threshold + step, n_customers, 8 * n_customers), False, LIMITS)
        for step in (-0.001, 0.001)
    )
    assert (below.fired, on.fired) == (False, True)
    assert below.threshold == on.threshold == pytest.approx(threshold, abs=1e-6)
    assert below.would_flip == f"standard deviations between the champion's answers of {below.threshold:g}"


def test_answers_that_were_not_compared_never_fire() -> None:
    signal = prediction_drift(None, False, LIMITS)
    assert (signal.value, signal.fired) == (None, False)
    assert signal.would_flip == "customers on both sides to compare"


@pytest.mark.parametrize(("n_back", "fired"), [(40, False), (143, False), (145, True), (0, False)])
def test_returns_are_measured_in_times_of_what_is_usual(n_back: int, fired: bool) -> None:
    # 300 sales with the usual .04 of returns stand beside the 1,000 of the week.
    signal = returned_ratio(sold_weeks(n_back), False, LIMITS)
    assert signal.value == pytest.approx((n_back + 12) / 1300 / 0.04, abs=1e-6)
    assert signal.fired is fired


def test_three_returns_in_a_week_of_twenty_sales_are_no_spike() -> None:
    assert not returned_ratio(sold_weeks(3, n_sold=20), False, LIMITS).fired


def test_one_week_of_returns_among_those_before_does_not_change_what_is_usual() -> None:
    weeks = sold_weeks(145)
    weeks[2] = {"purchases": 500, "cancelled": 500, "returned": 0}
    assert returned_ratio(weeks, False, LIMITS) == returned_ratio(sold_weeks(145), False, LIMITS)


def test_only_the_eight_weeks_before_say_what_is_usual() -> None:
    old = [{"purchases": 1, "cancelled": 999, "returned": 0}] * 30
    assert returned_ratio([*old, *sold_weeks(145)], False, LIMITS).fired


def test_where_nothing_was_ever_taken_back_a_small_share_is_no_spike() -> None:
    calm = [{"purchases": 1000, "cancelled": 0, "returned": 0}] * 8
    few, many = ({"purchases": 1000 - n, "cancelled": n, "returned": 0} for n in (17, 19))
    assert not returned_ratio([*calm, few], False, LIMITS).fired
    assert returned_ratio([*calm, many], False, LIMITS).fired


@pytest.mark.parametrize("n_weeks", [1, 2])
def test_returns_need_a_week_before_to_be_measured_by(n_weeks: int) -> None:
    signal = returned_ratio(sold_weeks(400, n_weeks=n_weeks), False, LIMITS)
    assert (signal.value is None, signal.fired) == (n_weeks == 1, n_weeks == 2)


@pytest.mark.parametrize(
    ("lead", "fired"), [(-0.05, True), (-0.0201, True), (-0.02, False), (-0.001, False), (0.0, False)]
)
def test_what_was_published_fires_when_it_was_worse_than_the_best_rule_by_more_than_chance(
    lead: float, fired: bool
) -> None:
    signal = realised_lead(SET, Lead(lead, 0.02), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (lead, -0.02, fired)
    assert signal.would_flip == f"lead over the best rule {'of' if fired else 'below'} -0.02"


def test_what_was_published_as_the_best_rule_says_does_not_fire() -> None:
    signal = realised_lead(SET, Lead(0.0, 0.0), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (0.0, 0.0, False)
    assert signal.would_flip == "lead over the best rule below 0"


def test_a_lead_of_too_few_customers_is_told_and_never_fires() -> None:
    signal = realised_lead(SET, Lead(-0.5, None), False, LIMITS)
    assert (signal.value, signal.threshold, signal.fired) == (-0.5, None, False)
    assert signal.would_flip == "30 customers or more who bought in the period before"


def test_without_published_predictions_their_lead_is_heard_but_never_fires() -> None:
    signal = realised_lead(LISTS, None, False, LIMITS)
    assert (signal.name, signal.value, signal.fired) == (LISTS, None, False)
    assert signal.would_flip == "predictions of the period before, and purchases in it"


@pytest.mark.parametrize(("weeks", "fired"), [(0.0, False), (7.99, False), (8.0, True), (-4.0, False)])
def test_a_champion_is_too_old_from_its_last_week_on(weeks: float, fired: bool) -> None:
    signal = too_old(weeks, weeks, LIMITS)
    assert (signal.value, signal.fired) == (weeks, fired)
    assert signal.would_flip == ("an age below 8 weeks" if fired else "an age of 8 weeks")


def test_the_age_that_replaces_a_champion_can_be_set() -> None:
    assert too_old(3.0, 3.0, Thresholds(max_age_weeks=3)).fired
    assert not too_old(3.0, 3.0, Thresholds(max_age_weeks=4)).fired


@pytest.mark.parametrize(("waited", "fired"), [(1.0, False), (1.99, False), (2.0, True), (9.0, True)])
def test_an_old_champion_whose_challenger_was_refused_waits_for_the_cool_down(
    waited: float, fired: bool
) -> None:
    signal = too_old(9.0, waited, LIMITS)
    assert (signal.value, signal.fired) == (9.0, fired)
    assert signal.would_flip == (
        "an age below 8 weeks" if fired else "a newest training older than the cool-down"
    )


def test_who_asks_for_a_training_every_week_gets_it() -> None:
    assert too_old(1.0, 1.0, Thresholds(max_age_weeks=1)).fired


@pytest.mark.parametrize(
    "signal",
    [
        feature_drift(1.0, True, LIMITS),
        volume_drift(1000.0, KNOWN_WEEKS, True, LIMITS),
        prediction_drift(Distance(1.5, *MANY), True, LIMITS),
        returned_ratio(sold_weeks(400), True, LIMITS),
        realised_lead(SET, Lead(-0.1, 0.01), True, LIMITS),
    ],
    ids=lambda signal: signal.name,
)
def test_in_the_cool_down_of_a_training_drift_asks_for_no_other(signal: Signal) -> None:
    assert not signal.fired
    assert signal.would_flip == "a newest training older than the cool-down"
    assert decide([*quiet()[:2], signal]).branch == LOAD


def test_a_cool_down_keeps_the_threshold_as_what_would_flip_a_calm_signal() -> None:
    assert feature_drift(0.1, True, LIMITS).would_flip == "share of drifted columns of 0.25"


def test_a_cool_down_does_not_hold_back_a_forced_training() -> None:
    cooling = [champion_missing("3"), forced(True), feature_drift(1.0, True, LIMITS)]
    assert decide(cooling).rule == FORCED


def test_the_registry_and_the_option_say_what_would_have_flipped_them() -> None:
    assert champion_missing(None).would_flip == "a champion in the registry"
    assert champion_missing("3").would_flip == "no champion in the registry"
    assert forced(True).would_flip == "force_retrain left out"
    assert forced(False).would_flip == "force_retrain"


def test_a_record_holds_the_decision_and_every_signal_that_was_heard() -> None:
    signals = [champion_missing("3"), feature_drift(0.5, False, LIMITS)]
    assert record(decide(signals), signals, {"as_of": "2024-04-22"}) == {
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
