"""The rules that ask for training, each one function, and the order in which they are heard."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

NO_CHAMPION, FORCED, HORIZON = "no_champion", "forced", "horizon"
DRIFT, AGE, NONE = "drift", "age", "none"
RETRAIN, LOAD = "retrain_model", "load_existing_model"

# Below this share of its median a volume's spread is taken for chance in a few quiet weeks.
_SMALLEST_SPREAD = 0.08
_TO_STANDARD_DEVIATION = 1.4826


@dataclass(frozen=True)
class Thresholds:
    """When each drift signal fires: chosen on SodAI's calm weeks of August to November 2024."""

    drift_share: float = 0.25
    volume_deviation: float = 4.0
    realised_gap: float = 0.12
    max_age_weeks: int = 8
    cool_down_weeks: int = 2


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


def feature_drift(share: float, cooling: bool, thresholds: Thresholds) -> Signal:
    """Many features moved away from the champion's reference.

    Args:
        share: of the tested columns that drifted, 0 to 1.
        cooling: whether the champion is too young for drift to ask for another one.
        thresholds: in force.
    """
    return _numeric("drift_share", share, thresholds.drift_share, cooling, "share of drifted columns")


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


def realised_drift(
    expected_f1: float | None, realised_f1: float | None, cooling: bool, thresholds: Thresholds
) -> Signal:
    """The last published set was worth less than it said.

    Args:
        expected_f1: of the last published set; None if there is none.
        realised_f1: of the same set, now that its purchases are known.
        cooling: as in `feature_drift`.
        thresholds: in force.
    """
    if expected_f1 is None or realised_f1 is None:
        flip = "predictions of the period before, whose purchases are known"
        return Signal("realised_gap", DRIFT, None, thresholds.realised_gap, False, flip)
    gap = expected_f1 - realised_f1
    return _numeric("realised_gap", gap, thresholds.realised_gap, cooling, "expected minus realised set F1")


def too_old(age_weeks: float, thresholds: Thresholds) -> Signal:
    """The champion was trained long ago."""
    fired = age_weeks >= thresholds.max_age_weeks
    flip = f"an age {'below' if fired else 'of'} {thresholds.max_age_weeks} weeks"
    return Signal("age_weeks", AGE, round(age_weeks, 3), float(thresholds.max_age_weeks), fired, flip)


def decide(signals: Sequence[Signal]) -> Decision:
    """The first rule that fired, in the order of the signals; load the champion if none did."""
    for signal in signals:
        if signal.fired:
            return Decision(RETRAIN, signal.rule, _reason(signal))
    return Decision(LOAD, NONE, "no rule asks for training")


def record(decision: Decision, signals: Sequence[Signal], more: Mapping[str, Any]) -> dict[str, Any]:
    """The decision as a record, with every signal that was heard."""
    return {**asdict(decision), **more, "signals": [asdict(signal) for signal in signals]}


def _numeric(name: str, value: float, threshold: float, cooling: bool, what: str) -> Signal:
    beyond = value >= threshold
    if beyond and cooling:
        flip = "a champion older than the cool-down"
    else:
        flip = f"{what} {'below' if beyond else 'of'} {threshold:g}"
    return Signal(name, DRIFT, round(value, 6), threshold, beyond and not cooling, flip)


_REASONS = {
    "champion": "there is no champion yet",
    "force_retrain": "training was forced",
    "horizon_days": "the champion was trained for periods of {threshold:.0f} days, this one has {value:.0f}",
    "drift_share": "{value:.0%} of the tested columns drifted, {threshold:.0%} or more ask for training",
    "volume_deviation": (
        "the volume of the last week lies {value:.1f} robust deviations from the champion's weeks, "
        "{threshold:g} or more ask for training"
    ),
    "realised_gap": (
        "the last published set was worth {value:.2f} less than expected, "
        "{threshold:g} or more ask for training"
    ),
    "age_weeks": "the champion is {value:.0f} weeks old, {threshold:.0f} or more ask for training",
}


def _reason(signal: Signal) -> str:
    return _REASONS[signal.name].format(value=signal.value, threshold=signal.threshold)
