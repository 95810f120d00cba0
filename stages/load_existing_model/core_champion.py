"""The age of the champion, and warnings about its use for a period."""

from collections.abc import Mapping
from datetime import date
from typing import Any


def age_in_days(card: Mapping[str, Any], as_of: date) -> int:
    """Return the days from the period that a champion was trained for to this one; negative on a backfill."""
    return (as_of - date.fromisoformat(card["as_of"])).days


def usage_warnings(card: Mapping[str, Any], as_of: date, horizon_days: int) -> list[str]:
    """Return the reasons to be careful with predictions of the champion for a period.

    Args:
        card: of the champion.
        as_of: first day of the period.
        horizon_days: length of the period.
    """
    warnings = []
    if card["horizon_days"] != horizon_days:
        warnings.append(
            f"trained for periods of {card['horizon_days']} days, used for {horizon_days}: its "
            "probabilities are for periods of another length"
        )
    if age_in_days(card, as_of) < 0:
        warnings.append(f"trained for {card['as_of']}, later than {as_of}: it has seen this period")
    return warnings
