"""Plausible dates: the range of a file's dates and the weeks of purchases without stray ones."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from statistics import median

EARLIEST = date(2000, 1, 1)
LATEST = date(2099, 12, 31)

# No business pauses this long and resumes; a year mistyped by three or more is beyond such a gap.
LONGEST_GAP = timedelta(days=2 * 365)

# Before and after a pause a business sells more than this share of a usual week; less is a date mistyped by
# months or a year, which is too near for the gap above.
LONGEST_PAUSE = timedelta(weeks=8)
SMALLEST_SHARE = 0.1


def plausible_date_range(n_rows: Sequence[tuple[date, int]]) -> tuple[date, date]:
    """Return the first and last date that no gap longer than two years separates from the median date.

    Args:
        n_rows: (date, number of rows), ascending, all dates from EARLIEST to LATEST.

    Returns:
        both inclusive; EARLIEST and LATEST if there is no date.
    """
    if not n_rows:
        return EARLIEST, LATEST
    days = [day for day, _ in n_rows]
    # A fixed distance from the median would cut long histories; a gap cuts isolated dates only.
    first = last = _median_position([count for _, count in n_rows])
    while first > 0 and days[first] - days[first - 1] <= LONGEST_GAP:
        first -= 1
    while last < len(days) - 1 and days[last + 1] - days[last] <= LONGEST_GAP:
        last += 1
    return days[first], days[last]


def plausible_weeks(n_purchases: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    """Return the weeks without those that are years from the others and without stray weeks.

    Args:
        n_purchases: (Monday, number of purchases), ascending, no number is 0.
    """
    first, last = plausible_date_range(n_purchases)
    return drop_stray_weeks([(week, n) for week, n in n_purchases if first <= week <= last])


def drop_stray_weeks(n_purchases: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    """Return the weeks without the oldest and newest ones that come from mistyped years or months.

    The weeks at one end are stray if more than eight weeks separate them from the others and all of them
    together have fewer purchases than a tenth of the median week of the others.

    Args:
        n_purchases: (Monday, number of purchases), ascending.
    """
    weeks, first, last = n_purchases, 0, len(n_purchases)
    gaps = [
        position for position in range(1, last) if weeks[position][0] - weeks[position - 1][0] > LONGEST_PAUSE
    ]
    for position in reversed(gaps):
        if _is_small(weeks[position:last], weeks[:position]):
            last = position
    for position in gaps:
        if position < last and _is_small(weeks[first:position], weeks[position:last]):
            first = position
    return weeks[first:last]


def _is_small(end: Sequence[tuple[date, int]], others: Sequence[tuple[date, int]]) -> bool:
    return sum(n for _, n in end) < SMALLEST_SHARE * median(n for _, n in others)


def _median_position(counts: Sequence[int]) -> int:
    return bisect_left(list(accumulate(counts)), (sum(counts) + 1) // 2)
