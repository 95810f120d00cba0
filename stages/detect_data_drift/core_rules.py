"""The rules that ask for training, one function each, and the decision that follows from their signals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from detect_data_drift.core_columns import adjust_threshold
from sodai.data.catalog import LOAD, RETRAIN
from sodai.evaluation.bootstrap import SMALLEST_GROUP

NO_CHAMPION, FORCED, HORIZON, BACKFILL = "no_champion", "forced", "horizon", "backfill"
DRIFT, AGE, NONE = "drift", "age", "none"

# Least spread of demand, as a share of its median: a few quiet weeks may be alike by chance.
_SMALLEST_SPREAD = 0.08
_TO_STANDARD_DEVIATION = 1.4826
# The usual share of returns is the median of so many weeks, and at least _SMALLEST_RETURNED.
_USUAL_WEEKS = 8
_USUAL_SALES = 300
_SMALLEST_RETURNED = 0.005
# The flip of a signal that only the cool-down keeps from firing.
_COOLED = "a newest training older than the cool-down"


@dataclass(frozen=True)
class Thresholds:
    """The value from which each drift signal fires."""

    # SodAI's calm weeks of 2024 reach at most: .23 of the columns from August to November and .281 in one
    # week of July, .15 standard deviations of the predictions, 3.9 deviations of demand, 1.8 times the usual
    # returns; their smallest lead over the best baseline was .005. Its breaks: .30 of the columns in May, .44
    # in July, demand 8.4 deviations off at Christmas.
    drift_share: float = 0.29
    prediction_drift: float = 0.3
    demand_deviation: float = 6.0
    returned_ratio: float = 3.0
    realised_lead: float = 0.0
    max_age_weeks: int = 8
    cool_down_weeks: int = 2


@dataclass(frozen=True)
class Distance:
    """Distance between two samples, in standard deviations of the reference, and their sizes."""

    value: float
    n_current: int
    n_reference: int


@dataclass(frozen=True)
class Margin:
    """Mean margin of published predictions over the best baseline.

    `chance` is half of its 95 % interval over customers; None if there are too few of them.
    """

    mean: float
    chance: float | None


@dataclass(frozen=True)
class Signal:
    """The outcome of one rule: value, threshold, whether it fired, and what would have flipped it."""

    name: str
    rule: str
    value: float | str | None
    threshold: float | None
    fired: bool
    would_flip: str


@dataclass(frozen=True)
class Decision:
    """The branch, the rule that chose it, and the reason in words."""

    branch: str
    rule: str
    reason: str


def check_champion(version: str | None) -> Signal:
    """Fire if there is no champion to load."""
    flip = "a champion in the registry" if version is None else "no champion in the registry"
    return Signal("champion", NO_CHAMPION, version, None, version is None, flip)


def check_force(force: bool) -> Signal:
    """Fire if the run was asked to train."""
    flip = "force_retrain left out" if force else "force_retrain"
    return Signal("force_retrain", FORCED, "yes" if force else "no", None, force, flip)


def check_horizon(champion_days: int, horizon_days: int) -> Signal:
    """Fire if the champion's probabilities are for periods of another length.

    Args:
        champion_days: length of the periods that it was trained on.
        horizon_days: length of the period to predict.
    """
    differs = champion_days != horizon_days
    flip = f"a period {'of' if differs else 'of other than'} {champion_days} days"
    return Signal("horizon_days", HORIZON, float(horizon_days), float(champion_days), differs, flip)


def check_backfill(champion_as_of: date, as_of: date) -> Signal:
    """Fire if the champion was trained on days after the first of this period.

    Args:
        champion_as_of: first day of the period that it was trained for.
        as_of: first day of the period to predict.
    """
    later = champion_as_of > as_of
    flip = f"a period of {champion_as_of} or later" if later else f"a period before {champion_as_of}"
    return Signal("trained_for", BACKFILL, champion_as_of.isoformat(), None, later, flip)


def check_features(share: float, cooling: bool, thresholds: Thresholds) -> Signal:
    """Fire if many features differ from the champion's reference.

    Args:
        share: of the tested columns that drifted, 0 to 1.
        cooling: whether the newest training, promoted or not, is younger than the cool-down; then no drift
            signal fires.
        thresholds: of this run.
    """
    return _check_value("drift_share", share, thresholds.drift_share, cooling, "share of drifted columns")


def check_predictions(distance: Distance | None, cooling: bool, thresholds: Thresholds) -> Signal:
    """Fire if the champion's predictions of this week are distributed unlike those on its reference.

    Args:
        distance: between the champion's log-odds of one candidate per customer in both samples; None if
            they were not compared.
        cooling: see `check_features`.
        thresholds: of this run; with few customers the distance must be larger, see `adjust_threshold`.
    """
    if distance is None:
        flip = "customers on both sides to compare"
        return Signal("prediction_drift", DRIFT, None, thresholds.prediction_drift, False, flip)
    threshold = adjust_threshold(thresholds.prediction_drift, distance.n_current, distance.n_reference)
    quantity = "standard deviations between the champion's answers"
    return _check_value("prediction_drift", distance.value, threshold, cooling, quantity)


def check_demand(newest: float, reference: Sequence[float], cooling: bool, thresholds: Thresholds) -> Signal:
    """Fire if the demand of the newest week is unlike that of the champion's training weeks.

    Args:
        newest: pairs bought in the last seven days.
        reference: pairs bought in the seven days before each period of the reference, at least one.
        cooling: see `check_features`.
        thresholds: of this run.
    """
    centre = float(np.median(reference))
    spread = _TO_STANDARD_DEVIATION * float(np.median(np.abs(np.asarray(reference) - centre)))
    spread = max(spread, _SMALLEST_SPREAD * centre, 1.0)
    deviation, threshold = abs(newest - centre) / spread, thresholds.demand_deviation
    return _check_value("demand_deviation", deviation, threshold, cooling, "robust deviations of demand")


def check_returns(weeks: Sequence[Mapping[str, Any]], cooling: bool, thresholds: Thresholds) -> Signal:
    """Fire if a far larger share of the newest week's sales than usual was cancelled or returned.

    Args:
        weeks: `purchases`, `cancelled` and `returned` of each week before the period, newest last.
        cooling: see `check_features`.
        thresholds: of this run.
    """
    counts = [(week["cancelled"] + week["returned"], week["purchases"]) for week in weeks]
    shares = [back / (back + kept) for back, kept in counts[-1 - _USUAL_WEEKS : -1] if back + kept]
    if not shares:
        flip = "sales in the weeks before the newest one"
        return Signal("returned_ratio", DRIFT, None, thresholds.returned_ratio, False, flip)
    usual = max(float(np.median(shares)), _SMALLEST_RETURNED)
    back, kept = counts[-1]
    # The newest week gets some usual sales on top, so that a few returns in a quiet week are no spike.
    newest = (back + usual * _USUAL_SALES) / (back + kept + _USUAL_SALES)
    quantity = "times the usual share of sales taken back"
    return _check_value("returned_ratio", newest / usual, thresholds.returned_ratio, cooling, quantity)


def check_realised(name: str, margin: Margin | None, cooling: bool, thresholds: Thresholds) -> Signal:
    """Fire if the last published predictions were worse than the best baseline, by more than chance.

    Args:
        name: `realised_set_lead` for F1 of the predicted set, `realised_list_lead` for NDCG@10.
        margin: of the predictions of the newest closed period; None if there are none, or there was no
            purchase.
        cooling: see `check_features`.
        thresholds: of this run.
    """
    if margin is None:
        flip = "predictions of the period before, and purchases in it"
        return Signal(name, DRIFT, None, thresholds.realised_lead, False, flip)
    if margin.chance is None:
        flip = f"{SMALLEST_GROUP} customers or more who bought in the period before"
        return Signal(name, DRIFT, round(margin.mean, 6), None, False, flip)
    threshold = thresholds.realised_lead - margin.chance
    return _check_value(name, margin.mean, threshold, cooling, "lead over the best rule", below=True)


def check_age(age_weeks: float, since_training_weeks: float, thresholds: Thresholds) -> Signal:
    """Fire if the champion is old, and no challenger was rejected during the cool-down.

    Args:
        age_weeks: of the champion.
        since_training_weeks: since the newest training, the champion's own or a later one.
        thresholds: of this run; a maximum age below the cool-down disables the cool-down.
    """
    old = age_weeks >= thresholds.max_age_weeks
    cooling = since_training_weeks < min(thresholds.cool_down_weeks, thresholds.max_age_weeks)
    flip = f"an age {'below' if old else 'of'} {thresholds.max_age_weeks} weeks"
    return Signal(
        "age_weeks",
        AGE,
        round(age_weeks, 3),
        float(thresholds.max_age_weeks),
        old and not cooling,
        _COOLED if old and cooling else flip,
    )


def decide(signals: Sequence[Signal]) -> Decision:
    """Return the decision of the first signal that fired; load the champion if none did."""
    for signal in signals:
        if signal.fired:
            reason = _REASONS[signal.name].format(value=signal.value, threshold=signal.threshold)
            return Decision(RETRAIN, signal.rule, reason)
    return Decision(LOAD, NONE, "no rule asks for training")


def to_record(decision: Decision, signals: Sequence[Signal], context: Mapping[str, Any]) -> dict[str, Any]:
    """Return DECISION: the decision, `context`, and every signal."""
    return {**asdict(decision), **context, "signals": [asdict(signal) for signal in signals]}


def _check_value(
    name: str, value: float, threshold: float, cooling: bool, quantity: str, below: bool = False
) -> Signal:
    """Fire if the value reaches the threshold (or is below it), unless the cool-down lasts."""
    threshold = round(threshold, 6)
    beyond = value < threshold if below else value >= threshold
    flip = f"{quantity} {'below' if beyond != below else 'of'} {threshold:g}"
    fired, flip = beyond and not cooling, _COOLED if beyond and cooling else flip
    return Signal(name, DRIFT, round(value, 6), threshold, fired, flip)


_REASONS = {
    "champion": "there is no champion yet",
    "force_retrain": "training was forced",
    "horizon_days": "the champion was trained for periods of {threshold:.0f} days, this one has {value:.0f}",
    "trained_for": "the champion was trained for the later period of {value}, and has seen this one",
    "drift_share": "{value:.0%} of the tested columns drifted, {threshold:.0%} or more ask for training",
    "demand_deviation": (
        "the demand of the last week is {value:.1f} robust deviations from the champion's weeks, "
        "{threshold:g} or more ask for training"
    ),
    "prediction_drift": (
        "the champion's answers are {value:.2f} standard deviations from those on its reference, "
        "{threshold:g} or more ask for training"
    ),
    "returned_ratio": (
        "{value:.1f} times the usual share of the last week's sales was taken back, "
        "{threshold:g} times or more ask for training"
    ),
    "realised_set_lead": (
        "the last published set had an F1 of {value:+.3f} against the best rule, "
        "less than {threshold:+.3f} asks for training"
    ),
    "realised_list_lead": (
        "the last published lists had an NDCG@10 of {value:+.3f} against the best rule, "
        "less than {threshold:+.3f} asks for training"
    ),
    "age_weeks": "the champion is {value:.0f} weeks old, {threshold:.0f} or more ask for training",
}
