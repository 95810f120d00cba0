"""Which of the dates in a file can be believed."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate

EARLIEST = date(2000, 1, 1)
LATEST = date(2099, 12, 31)

# No business pauses this long and goes on; a mistyped year lands beyond it.
LONGEST_GAP = timedelta(days=2 * 365)


def believable_range(n_rows: Sequence[tuple[date, int]]) -> tuple[date, date]:
    """First and last date that no gap longer than two years separates from the median date.

    A fixed distance from the median would cut long histories; a gap cuts only what stands alone.

    Args:
        n_rows: dates in order, all from EARLIEST to LATEST, each with its number of rows.

    Returns:
        both inclusive; EARLIEST and LATEST if there is no date.
    """
    if not n_rows:
        return EARLIEST, LATEST
    days = [day for day, _ in n_rows]
    first = last = _median_position([count for _, count in n_rows])
    while first > 0 and days[first] - days[first - 1] <= LONGEST_GAP:
        first -= 1
    while last < len(days) - 1 and days[last + 1] - days[last] <= LONGEST_GAP:
        last += 1
    return days[first], days[last]


def _median_position(counts: Sequence[int]) -> int:
    return bisect_left(list(accumulate(counts)), (sum(counts) + 1) // 2)
