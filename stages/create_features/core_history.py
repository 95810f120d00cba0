"""What was known before a cutoff: the only door through which purchases reach a feature."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import ibis
from ibis import _
from ibis.expr.types import Column, Table

DAYS_PER_WEEK = 7
# Sums of floats depend on the order in which threads deliver them; sums of integers do not, so
# weights and quantities are added as whole multiples of these units.
WEIGHT_UNIT = 2**32
QUANTITY_UNIT = 1000

# Computes a table once under a name and gives it back; a table of the same name is replaced.
Hold = Callable[[str, Table], Table]


@dataclass(frozen=True)
class History:
    """Purchases before a cutoff, at the two grains that features count.

    `days`: customer_id, product_id, age_days (1 = the day before the cutoff), week (0 = the last
    seven days), milli_units; one row a pair and day. `weeks`: customer_id, product_id, week; one
    row a pair and week.
    """

    days: Table
    weeks: Table


def history_before(transactions: Table, cutoff: date, hold: Hold) -> History:
    """The purchases dated before `cutoff`.

    Args:
        transactions: the columns of TRANSACTIONS; later rows may be there and are not seen.
        cutoff: first day that must not be seen.
        hold: keeps what several features read.
    """
    seen = transactions.filter(_.purchase_date < cutoff)
    dated = seen.mutate(
        age_days=ibis.literal(cutoff).delta(seen.purchase_date, unit="day"),
        milli_units=(_.n_units * QUANTITY_UNIT).round().cast("int64"),
    )
    days = dated.group_by("customer_id", "product_id", "age_days").agg(milli_units=_.milli_units.sum())
    days = days.mutate(week=((_.age_days - 1) // DAYS_PER_WEEK).cast("int64"))
    days = hold("history_days", days)
    return History(days, hold("history_weeks", days.select("customer_id", "product_id", "week").distinct()))


def decayed(week: Column, decay: float, times: Column | int = 1) -> Column:
    """Sum of `times`, each worth `decay` of the same a week later: the same to the last bit in any order."""
    weight = ((week * math.log(decay)).exp() * WEIGHT_UNIT).round().cast("int64")
    return (weight * times).sum() / WEIGHT_UNIT


def gap_statistics(ordered_ages: Table, by: list[str], prefix: str) -> Table:
    """Mean, median and standard deviation of the days between neighbouring rows of a group.

    Args:
        ordered_ages: the columns of `by` and age_days, distinct.
        by: columns that make a group.
        prefix: of the names of the result.

    Returns:
        one row a group with at least two rows: `by`, <prefix>_gap_mean_days, _median_, _std_.
    """
    window = ibis.window(group_by=by, order_by=ibis.desc("age_days"))
    gaps = ordered_ages.mutate(gap=_.age_days.lag().over(window) - _.age_days).filter(_.gap.notnull())
    sums = gaps.group_by(by).agg(
        n=_.count(), total=_.gap.sum(), squares=(_.gap * _.gap).sum(), median=_.gap.median()
    )
    variance = (_.n * _.squares - _.total * _.total) / (_.n * _.n)
    return sums.select(
        *by,
        **{
            f"{prefix}_gap_mean_days": _.total / _.n,
            f"{prefix}_gap_median_days": _["median"],
            f"{prefix}_gap_std_days": variance.sqrt(),
        },
    )
