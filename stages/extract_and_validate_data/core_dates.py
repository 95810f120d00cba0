"""Which of the dates in a file can be believed, and which of the newest weeks."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from statistics import median

EARLIEST = date(2000, 1, 1)
LATEST = date(2099, 12, 31)

# No business pauses this long and goes on; a year mistyped by three or more lands beyond it.
LONGEST_GAP = timedelta(days=2 * 365)

# After a pause a business is back with more than this part of a usual week; less is a date mistyped by
# months or a year, which the gap above lets pass.
LONGEST_PAUSE = timedelta(weeks=8)
LEAST_PART = 0.1


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


def without_strays(n_purchases: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    """The weeks without the newest ones that a mistyped year or month has made.

    Those lie more than eight weeks after the week before, and together they hold less than a tenth of
    the median week before.

    Args:
        n_purchases: weeks in order, each with its number of purchases.
    """
    kept = n_purchases
    for place in range(len(n_purchases) - 1, 0, -1):
        before, after = kept[:place], kept[place:]
        if after[0][0] - before[-1][0] <= LONGEST_PAUSE:
            continue
        if sum(n for _, n in after) < LEAST_PART * median(n for _, n in before):
            kept = before
    return kept


def _median_position(counts: Sequence[int]) -> int:
    return bisect_left(list(accumulate(counts)), (sum(counts) + 1) // 2)
