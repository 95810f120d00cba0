"""The period that one run predicts, and the earlier periods that a model learns from."""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from sodai.errors import InputError

DAYS_PER_WEEK = 7


def parse_date(text: str, where: str = "--as-of") -> date:
    """Return the date that `text` writes as YYYY-MM-DD.

    Args:
        text: to parse.
        where: option or file that the text comes from, for the message.

    Raises:
        InputError: `text` is no such date.
    """
    with suppress(ValueError):
        day = date.fromisoformat(text)
        # Python also accepts 20250106 and 2025-W02-1.
        if day.isoformat() == text:
            return day
    raise InputError(f"{where}: found {text!r}, expected a date as YYYY-MM-DD; give the first day to predict")


def week_of(day: date) -> date:
    """Return the Monday of the week of `day`."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True)
class Period:
    """The days `as_of` (inclusive) to `end` (exclusive) whose purchases one run predicts."""

    as_of: date
    horizon_days: int

    @property
    def end(self) -> date:
        """Return the first day after the period."""
        return self.as_of + timedelta(days=self.horizon_days)

    @property
    def step_days(self) -> int:
        """Return the days between two periods of the same kind: whole weeks, to keep weekdays aligned."""
        return DAYS_PER_WEEK * math.ceil(self.horizon_days / DAYS_PER_WEEK)

    @property
    def evaluation_period(self) -> "Period":
        """Return the newest closed period: models are compared on it, so none is trained on it."""
        return self.back(1)

    def back(self, periods: int) -> "Period":
        """Return the period of the same length that many steps earlier; 1 is the newest closed one."""
        return Period(self.as_of - timedelta(days=self.step_days * periods), self.horizon_days)
