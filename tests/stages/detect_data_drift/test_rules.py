"""Each rule alone at its threshold, the order in which they are heard, and what a record says of them."""

import pytest

from detect_data_drift.core_rules import (
    AGE,
    DRIFT,
    FORCED,
    HORIZON,
    LOAD,
    NO_CHAMPION,
    NONE,
    RETRAIN,
    Decision,
    Signal,
    Thresholds,
    champion_missing,
    decide,
    feature_drift,
    forced,
    other_horizon,
    realised_drift,
    record,
    too_old,
    volume_drift,
)

LIMITS = Thresholds(
    drift_share=0.25, volume_deviation=4.0, realised_gap=0.125, max_age_weeks=8, cool_down_weeks=2
)
# Median 100, median distance from it 10: one robust deviation is 14.826 pairs.
KNOWN_WEEKS = [80.0, 90.0, 100.0, 110.0, 120.0]


def quiet() -> list[Signal]:
    """What the rules say of a young champion in a week like those that it knows."""
    return [
        champion_missing("3"),
        forced(False),
        other_horizon(7, 7),
        feature_drift(0.0, False, LIMITS),
        volume_drift(100.0, KNOWN_WEEKS, False, LIMITS),
        realised_drift(0.5, 0.5, False, LIMITS),
        too_old(3.0, LIMITS),
    ]


def loud() -> list[Signal]:
    """What they say when every one of them asks for training."""
    return [
        champion_missing(None),
        forced(True),
        other_horizon(5, 7),
        feature_drift(1.0, False, LIMITS),
        volume_drift(1000.0, KNOWN_WEEKS, False, LIMITS),
        realised_drift(0.9, 0.1, False, LIMITS),
        too_old(9.0, LIMITS),
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
        (3, DRIFT, "100% of the tested columns drifted, 25% or more ask for training"),
        (
            4,
            DRIFT,
            "the volume of the last week lies 60.7 robust deviations from the champion's weeks, "
            "4 or more ask for training",
        ),
        (
            5,
            DRIFT,
            "the last published set was worth 0.80 less than expected, 0.125 or more ask for training",
        ),
        (6, AGE, "the champion is 9 weeks old, 8 or more ask for training"),
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
    assert heard == [NO_CHAMPION, FORCED, HORIZON, DRIFT, DRIFT, DRIFT, AGE]


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


@pytest.mark.parametrize(
    ("expected", "realised", "fired"),
    [(0.625, 0.5, True), (0.624, 0.5, False), (0.5, 0.625, False)],
)
def test_a_published_set_fires_when_it_was_worth_less_not_when_it_was_worth_more(
    expected: float, realised: float, fired: bool
) -> None:
    signal = realised_drift(expected, realised, False, LIMITS)
    assert signal.fired is fired
    assert signal.value == pytest.approx(expected - realised)


@pytest.mark.parametrize(("expected", "realised"), [(None, None), (0.5, None), (None, 0.5)])
def test_without_a_published_set_its_worth_is_heard_but_never_fires(
    expected: float | None, realised: float | None
) -> None:
    signal = realised_drift(expected, realised, False, LIMITS)
    assert (signal.value, signal.fired) == (None, False)
    assert signal.would_flip == "predictions of the period before, whose purchases are known"


@pytest.mark.parametrize(("weeks", "fired"), [(0.0, False), (7.99, False), (8.0, True), (-4.0, False)])
def test_a_champion_is_too_old_from_its_last_week_on(weeks: float, fired: bool) -> None:
    signal = too_old(weeks, LIMITS)
    assert (signal.value, signal.fired) == (weeks, fired)
    assert signal.would_flip == ("an age below 8 weeks" if fired else "an age of 8 weeks")


def test_the_age_that_replaces_a_champion_can_be_set() -> None:
    assert too_old(3.0, Thresholds(max_age_weeks=3)).fired
    assert not too_old(3.0, Thresholds(max_age_weeks=4)).fired


@pytest.mark.parametrize(
    "signal",
    [
        feature_drift(1.0, True, LIMITS),
        volume_drift(1000.0, KNOWN_WEEKS, True, LIMITS),
        realised_drift(0.9, 0.1, True, LIMITS),
    ],
    ids=lambda signal: signal.name,
)
def test_a_champion_in_its_cool_down_is_not_replaced_because_of_drift(signal: Signal) -> None:
    assert not signal.fired
    assert signal.would_flip == "a champion older than the cool-down"
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
