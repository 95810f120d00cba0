"""Which dates of a file and which weeks of purchases can be believed, for every stage the same."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from statistics import median

EARLIEST = date(2000, 1, 1)
LATEST = date(2099, 12, 31)

# No business pauses this long and goes on; a year mistyped by three or more lands beyond it.
LONGEST_GAP = timedelta(days=2 * 365)

# Before and after a pause a business sells more than this part of a usual week; less is a date mistyped by
# months or a year, which the gap above lets pass.
LONGEST_PAUSE = timedelta(weeks=8)
LEAST_PART = 0.1


def plausible_date_range(n_rows: Sequence[tuple[date, int]]) -> tuple[date, date]:
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


def plausible_weeks(n_purchases: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    """The weeks without those that stand apart: years from the others, or strays, see `without_strays`.

    Args:
        n_purchases: weeks in order, each with its number of purchases, which is not 0.
    """
    first, last = plausible_date_range(n_purchases)
    return drop_stray_weeks([(week, n) for week, n in n_purchases if first <= week <= last])


def drop_stray_weeks(n_purchases: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    """The weeks without the oldest and the newest ones that a mistyped year or month has made.

    More than eight weeks lie between those of one end and the others, and together they hold less than a
    tenth of the median week of the others.

    Args:
        n_purchases: weeks in order, each with its number of purchases.
    """
    weeks, first, last = n_purchases, 0, len(n_purchases)
    gaps = [place for place in range(1, last) if weeks[place][0] - weeks[place - 1][0] > LONGEST_PAUSE]
    for place in reversed(gaps):
        if _is_little(weeks[place:last], weeks[:place]):
            last = place
    for place in gaps:
        if place < last and _is_little(weeks[first:place], weeks[place:last]):
            first = place
    return weeks[first:last]


def _is_little(apart: Sequence[tuple[date, int]], others: Sequence[tuple[date, int]]) -> bool:
    return sum(n for _, n in apart) < LEAST_PART * median(n for _, n in others)


def _median_position(counts: Sequence[int]) -> int:
    return bisect_left(list(accumulate(counts)), (sum(counts) + 1) // 2)
