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

# Keeps a table under a name, so that it is computed once, and gives it back.
Hold = Callable[[str, Table], Table]


@dataclass(frozen=True)
class Purchases:
    """What is known before a run's own first day, at the two grains that features count.

    `days`: customer_id, product_id, purchase_date, milli_units; one row a pair and day. `weeks`:
    customer_id, product_id, weeks_ago (0 = the seven days before the run's first day); one row a pair
    and week.
    """

    days: Table
    weeks: Table


@dataclass(frozen=True)
class History:
    """Purchases before a cutoff, at the two grains that features count.

    `days`: customer_id, product_id, age_days (1 = the day before the cutoff), week (0 = the last
    seven days), milli_units; one row a pair and day. `weeks`: customer_id, product_id, week; one row
    a pair and week.
    """

    days: Table
    weeks: Table

    def of(self, customers: Table, hold: Hold) -> "History":
        """The same of some customers alone, which are the rows of `customers`."""
        return History(
            hold("own_days", self.days.semi_join(customers, "customer_id")),
            hold("own_weeks", self.weeks.semi_join(customers, "customer_id")),
        )


def purchases_before(transactions: Table, cutoff: date, hold: Hold) -> Purchases:
    """The purchases dated before `cutoff`.

    Args:
        transactions: the columns of TRANSACTIONS; later rows may be there and are not seen.
        cutoff: first day that must not be seen.
        hold: keeps what every period reads.
    """
    seen = transactions.filter(_.purchase_date < cutoff)
    units = (seen.n_units * QUANTITY_UNIT).round().cast("int64")
    days = seen.group_by("customer_id", "product_id", "purchase_date").agg(milli_units=units.sum())
    # In order of the customer, so that what belongs to some customers is read alone.
    days = hold("days", days.order_by("customer_id"))
    age_days = ibis.literal(cutoff).delta(days.purchase_date, unit="day")
    weeks_ago = ((age_days - 1) // DAYS_PER_WEEK).cast("int32")
    weeks = days.select("customer_id", "product_id", weeks_ago=weeks_ago)
    return Purchases(days, hold("weeks", weeks.distinct().order_by("customer_id")))


def history_at(purchases: Purchases, moment: Table) -> History:
    """The purchases before the cutoff of a period that lies whole weeks before the run's own.

    Args:
        purchases: of the run.
        moment: one row: cutoff (exclusive) and weeks_back, from the run's own cutoff.
    """
    when = moment.select("cutoff", "weeks_back")
    days = purchases.days.cross_join(when).filter(_.purchase_date < _.cutoff)
    days = days.mutate(age_days=days.cutoff.delta(days.purchase_date, unit="day").cast("int64"))
    days = days.mutate(week=((_.age_days - 1) // DAYS_PER_WEEK).cast("int64"))
    weeks = purchases.weeks.cross_join(when).filter(_.weeks_ago >= _.weeks_back)
    return History(
        days.select("customer_id", "product_id", "age_days", "week", "milli_units"),
        weeks.select("customer_id", "product_id", week=(_.weeks_ago - _.weeks_back).cast("int64")),
    )


def decayed(week: Column, decay: float, times: Column | int = 1) -> Column:
    """Sum of `times`, each worth `decay` of the same a week later: the same to the last bit in any order."""
    # As floats: DuckDB takes a literal for a decimal, whose products cost it twenty times as much.
    weight = ((week.cast("float64") * math.log(decay)).exp() * WEIGHT_UNIT).round().cast("int64")
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
