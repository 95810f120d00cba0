"""What a champion's model card says about using it for a period."""

from collections.abc import Mapping
from datetime import date
from typing import Any


def age_in_days(card: Mapping[str, Any], as_of: date) -> int:
    """Days from the period that a champion was trained for to this one; negative on a backfill."""
    return (as_of - date.fromisoformat(card["as_of"])).days


def warnings_for(card: Mapping[str, Any], as_of: date, horizon_days: int) -> list[str]:
    """What whoever reads the log should know before trusting the champion for this period.

    Args:
        card: of the champion.
        as_of: first day of the period.
        horizon_days: its length.
    """
    found = []
    if card["horizon_days"] != horizon_days:
        found.append(
            f"trained for periods of {card['horizon_days']} days, used for {horizon_days}: its "
            "probabilities are of another length"
        )
    if age_in_days(card, as_of) < 0:
        found.append(f"trained for {card['as_of']}, later than {as_of}: it has seen this period")
    return found
