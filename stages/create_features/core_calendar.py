"""The calendar that sales follow: days on which shops are closed, and the course of a month."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from dateutil.easter import easter

# Days of rest wherever Christian holidays are kept. SodAI sold on them, in 2024, .16 (1 January), .08
# (Good Friday), .45 (1 May) and .27 (25 December) of its sales on such a weekday; on those national
# holidays of single countries that were tried it sold as on any day.
_FIXED = ((1, 1), (5, 1), (12, 25))
_EVES = ((12, 24), (12, 31))
_GOOD_FRIDAY_BEFORE_EASTER = timedelta(days=2)
# Orders follow the month (SodAI: fewer on the 13th, more from the 22nd): one trait for each week of it.
_QUARTERS = ((1, 7), (8, 14), (15, 21), (22, 28))
REST, EVE, AFTER_REST = 0, 1, 2
N_TRAITS = 3 + len(_QUARTERS)


def is_rest(day: date) -> bool:
    """Return whether business rests on a day."""
    return (day.month, day.day) in _FIXED or easter(day.year) - day == _GOOD_FRIDAY_BEFORE_EASTER


def is_eve(day: date) -> bool:
    """Return whether a day is the eve of Christmas or of the new year."""
    return (day.month, day.day) in _EVES


def is_ordinary(day: date) -> bool:
    """Return whether a day is neither a day of rest nor an eve."""
    return not is_rest(day) and not is_eve(day)


def day_traits(days: Sequence[date]) -> npt.NDArray[np.float64]:
    """Return the calendar traits of each day: (n days, 7) of 0 and 1.

    Columns: day of rest, eve, day after a rest, then the first, second, third and fourth week of a
    month (the last days of a month are in none of them).
    """
    return np.array(
        [
            [
                is_rest(day),
                is_eve(day),
                is_rest(day - timedelta(days=1)),
                *(first <= day.day <= last for first, last in _QUARTERS),
            ]
            for day in days
        ],
        dtype=np.float64,
    ).reshape(len(days), N_TRAITS)
