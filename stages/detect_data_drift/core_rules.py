"""The rules that ask for training, each one function, and the order in which they are heard."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from detect_data_drift.core_columns import beyond_chance
from sodai.data.catalog import LOAD, RETRAIN
from sodai.evaluation.bootstrap import SMALLEST_GROUP

NO_CHAMPION, FORCED, HORIZON, BACKFILL = "no_champion", "forced", "horizon", "backfill"
DRIFT, AGE, NONE = "drift", "age", "none"

# Below this share of its median a volume's spread is taken for chance in a few quiet weeks.
_SMALLEST_SPREAD = 0.08
_TO_STANDARD_DEVIATION = 1.4826
# What is usual for returns: the median share of so many weeks, and never less than this share.
_USUAL_WEEKS = 8
_USUAL_SALES = 300
_SMALLEST_RETURNED = 0.005
# What would have flipped a signal that is held back.
_COOLED = "a newest training older than the cool-down"


@dataclass(frozen=True)
class Thresholds:
    """When each drift signal fires: above what SodAI's calm weeks of 2024 reach by themselves.

    The largest there: .23 of the columns from August to November and .281 in one week of July, .15
    standard deviations of the answers, 3.9 deviations of volume, 1.8 times the usual returns; the
    smallest lead over the best rule was .005. Of the breaks, that of May moved .30 of the columns and
    that of July .44, Christmas the volume by 8.4 deviations.
    """

    drift_share: float = 0.29
    prediction_drift: float = 0.3
    volume_deviation: float = 6.0
    returned_ratio: float = 3.0
    realised_lead: float = 0.0
    max_age_weeks: int = 8
    cool_down_weeks: int = 2


@dataclass(frozen=True)
class Distance:
    """Between a sample of `n_current` and one of `n_reference`, in standard deviations of the second."""

    value: float
    n_current: int
    n_reference: int


@dataclass(frozen=True)
class Lead:
    """Of what was published over the best rule, and how far below it chance alone may put it.

    `chance` is half of the 95 % interval over customers; None where those are too few to say.
    """

    mean: float
    chance: float | None


@dataclass(frozen=True)
class Signal:
    """What one rule saw: its figure, its threshold, whether it fired, and what would have flipped it."""

    name: str
    rule: str
    value: float | str | None
    threshold: float | None
    fired: bool
    would_flip: str


@dataclass(frozen=True)
class Decision:
    """The branch, the rule that chose it and why."""

    branch: str
    rule: str
    reason: str


def champion_missing(version: str | None) -> Signal:
    """There is nothing to load."""
    flip = "a champion in the registry" if version is None else "no champion in the registry"
    return Signal("champion", NO_CHAMPION, version, None, version is None, flip)


def forced(force: bool) -> Signal:
    """Somebody asked for training."""
    flip = "force_retrain left out" if force else "force_retrain"
    return Signal("force_retrain", FORCED, "yes" if force else "no", None, force, flip)


def other_horizon(champion_days: int, horizon_days: int) -> Signal:
    """The champion's probabilities are of periods of another length.

    Args:
        champion_days: length of the periods that it was trained on.
        horizon_days: length of the period to predict.
    """
    differs = champion_days != horizon_days
    flip = f"a period {'of' if differs else 'of other than'} {champion_days} days"
    return Signal("horizon_days", HORIZON, float(horizon_days), float(champion_days), differs, flip)


def trained_later(champion_as_of: date, as_of: date) -> Signal:
    """The champion learnt from days that lie after this period's first.

    Args:
        champion_as_of: first day of the period that it was trained for.
        as_of: first day of the period to predict.
    """
    later = champion_as_of > as_of
    flip = f"a period of {champion_as_of} or later" if later else f"a period before {champion_as_of}"
    return Signal("trained_for", BACKFILL, champion_as_of.isoformat(), None, later, flip)


def feature_drift(share: float, cooling: bool, thresholds: Thresholds) -> Signal:
    """Many features moved away from the champion's reference.

    Args:
        share: of the tested columns that drifted, 0 to 1.
        cooling: whether the newest training, promoted or not, is too young for drift to ask for another.
        thresholds: in force.
    """
    return _numeric("drift_share", share, thresholds.drift_share, cooling, "share of drifted columns")


def prediction_drift(distance: Distance | None, cooling: bool, thresholds: Thresholds) -> Signal:
    """The champion's answers of this week are not distributed like those on its reference.

    Args:
        distance: between the champion's log-odds on one candidate a customer now and then; None where
            nothing was compared.
        cooling: as in `feature_drift`.
        thresholds: in force; few customers must lie farther apart, see `beyond_chance`.
    """
    if distance is None:
        flip = "customers on both sides to compare"
        return Signal("prediction_drift", DRIFT, None, thresholds.prediction_drift, False, flip)
    threshold = beyond_chance(thresholds.prediction_drift, distance.n_current, distance.n_reference)
    what = "standard deviations between the champion's answers"
    return _numeric("prediction_drift", distance.value, threshold, cooling, what)


def volume_drift(newest: float, reference: Sequence[float], cooling: bool, thresholds: Thresholds) -> Signal:
    """The market of the newest week lies outside the weeks that the champion knows.

    Args:
        newest: pairs bought in the last seven days.
        reference: the same of each period of the champion's reference, at least one.
        cooling: as in `feature_drift`.
        thresholds: in force.
    """
    centre = float(np.median(reference))
    spread = _TO_STANDARD_DEVIATION * float(np.median(np.abs(np.asarray(reference) - centre)))
    spread = max(spread, _SMALLEST_SPREAD * centre, 1.0)
    deviation = abs(newest - centre) / spread
    return _numeric(
        "volume_deviation", deviation, thresholds.volume_deviation, cooling, "robust deviations of volume"
    )


def returned_ratio(weeks: Sequence[Mapping[str, Any]], cooling: bool, thresholds: Thresholds) -> Signal:
    """Far more of the newest week's sales were taken back than is usual.

    As many sales of the usual kind as `_USUAL_SALES` are added to the newest week's, so that a few
    returns in a quiet week are no spike.

    Args:
        weeks: `purchases`, `cancelled` and `returned` of each week before the period, newest last.
        cooling: as in `feature_drift`.
        thresholds: in force.
    """
    counts = [(week["cancelled"] + week["returned"], week["purchases"]) for week in weeks]
    shares = [back / (back + kept) for back, kept in counts[-1 - _USUAL_WEEKS : -1] if back + kept]
    if not shares:
        flip = "sales in the weeks before the newest one"
        return Signal("returned_ratio", DRIFT, None, thresholds.returned_ratio, False, flip)
    usual = max(float(np.median(shares)), _SMALLEST_RETURNED)
    back, kept = counts[-1]
    newest = (back + usual * _USUAL_SALES) / (back + kept + _USUAL_SALES)
    what = "times the usual share of sales taken back"
    return _numeric("returned_ratio", newest / usual, thresholds.returned_ratio, cooling, what)


def realised_lead(name: str, lead: Lead | None, cooling: bool, thresholds: Thresholds) -> Signal:
    """What was published last was worth less than the best rule that needs no model.

    Less by more than chance: few customers must lose more to count, as few must lie farther apart in
    `prediction_drift`.

    Args:
        name: `realised_set_lead` for F1 of the predicted set, `realised_list_lead` for NDCG@10.
        lead: of the last published predictions, now that their purchases are known; None if there are
            no predictions or nobody bought.
        cooling: as in `feature_drift`.
        thresholds: in force.
    """
    if lead is None:
        flip = "predictions of the period before, and purchases in it"
        return Signal(name, DRIFT, None, thresholds.realised_lead, False, flip)
    if lead.chance is None:
        flip = f"{SMALLEST_GROUP} customers or more who bought in the period before"
        return Signal(name, DRIFT, round(lead.mean, 6), None, False, flip)
    threshold = thresholds.realised_lead - lead.chance
    return _numeric(name, lead.mean, threshold, cooling, "lead over the best rule", below=True)


def too_old(age_weeks: float, since_training_weeks: float, thresholds: Thresholds) -> Signal:
    """The champion was trained long ago, and no challenger was refused of late.

    Args:
        age_weeks: of the champion.
        since_training_weeks: since the newest training, the champion's own or a later one.
        thresholds: in force. An age below the cool-down is no cool-down of its own: who asks for a
            training every week gets it.
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
    """The first rule that fired, in the order of the signals; load the champion if none did."""
    for signal in signals:
        if signal.fired:
            return Decision(RETRAIN, signal.rule, _reason(signal))
    return Decision(LOAD, NONE, "no rule asks for training")


def record(decision: Decision, signals: Sequence[Signal], more: Mapping[str, Any]) -> dict[str, Any]:
    """The decision as a record, with every signal that was heard."""
    return {**asdict(decision), **more, "signals": [asdict(signal) for signal in signals]}


def _numeric(
    name: str, value: float, threshold: float, cooling: bool, what: str, below: bool = False
) -> Signal:
    """A signal that fires from its threshold on, or below it."""
    threshold = round(threshold, 6)
    beyond = value < threshold if below else value >= threshold
    flip = f"{what} {'below' if beyond != below else 'of'} {threshold:g}"
    fired, flip = beyond and not cooling, _COOLED if beyond and cooling else flip
    return Signal(name, DRIFT, round(value, 6), threshold, fired, flip)


_REASONS = {
    "champion": "there is no champion yet",
    "force_retrain": "training was forced",
    "horizon_days": "the champion was trained for periods of {threshold:.0f} days, this one has {value:.0f}",
    "trained_for": "the champion was trained for the later period of {value}, and has seen this one",
    "drift_share": "{value:.0%} of the tested columns drifted, {threshold:.0%} or more ask for training",
    "volume_deviation": (
        "the volume of the last week lies {value:.1f} robust deviations from the champion's weeks, "
        "{threshold:g} or more ask for training"
    ),
    "prediction_drift": (
        "the champion's answers lie {value:.2f} standard deviations from those on its reference, "
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


def _reason(signal: Signal) -> str:
    return _REASONS[signal.name].format(value=signal.value, threshold=signal.threshold)
