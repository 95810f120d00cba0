"""What was known before a cutoff: the only door through which purchases reach a feature."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import ibis
from ibis import _
from ibis.expr.types import Column, Table, Value

from sodai.data.periods import DAYS_PER_WEEK

# Sums of floats depend on the order in which threads deliver them; sums of whole numbers below 2^53 do
# not, so weights and quantities are added as whole multiples of these units.
WEIGHT_UNIT = 2**32
QUANTITY_UNIT = 1000

# Keeps a table under a name, so that it is computed once, and gives it back.
Hold = Callable[[str, Table], Table]


@dataclass(frozen=True)
class History:
    """Purchases before a cutoff, at the two grains that features count.

    `days`: customer_id, product_id, age_days (1 = the day before the cutoff), week (0 = the last
    seven days), milli_units, gap_days (since the pair's purchase before it, null for the first),
    opens_week (1 on the pair's first day of a week, else 0); one row a pair and day. `weeks`:
    customer_id, product_id, week; one row a pair and week.
    """

    days: Table

    @property
    def weeks(self) -> Table:
        """The pairs of each week."""
        return self.days.filter(_.opens_week == 1).select("customer_id", "product_id", "week")

    def of(self, customers: Table) -> "History":
        """The same of some customers alone, which are the rows of `customers`."""
        return History(self.days.semi_join(customers, "customer_id"))

    def at(self, moment: Table) -> "History":
        """What was known at the cutoff of an earlier period.

        Args:
            moment: one row: weeks_back, from this history's cutoff to that one.
        """
        known = self.days.cross_join(moment.select("weeks_back")).filter(_.week >= _.weeks_back)
        return History(
            known.mutate(age_days=_.age_days - DAYS_PER_WEEK * _.weeks_back, week=_.week - _.weeks_back).drop(
                "weeks_back"
            )
        )

    def held(self, name: str, hold: Hold) -> "History":
        """The same, computed once."""
        return History(hold(name, self.days))


def history_before(transactions: Table, cutoff: date) -> History:
    """The purchases dated before `cutoff`, in order of the customer.

    Args:
        transactions: the columns of TRANSACTIONS; later rows may be there and are not seen.
        cutoff: first day that must not be seen.
    """
    seen = transactions.filter(_.purchase_date < cutoff)
    pair = {"group_by": ["customer_id", "product_id"], "order_by": "purchase_date"}
    before = seen.purchase_date.lag().over(ibis.window(**pair))
    # The frame is one day: each order of the day has the sum of all, and all but one go.
    on_the_day = (seen.n_units * QUANTITY_UNIT).round().cast("int64").sum()
    lines = seen.select(
        "customer_id",
        "product_id",
        age_days=ibis.literal(cutoff).delta(seen.purchase_date, unit="day").cast("int32"),
        milli_units=on_the_day.over(ibis.range_window(preceding=0, following=0, **pair)).cast("int64"),
        gap_days=seen.purchase_date.delta(before, unit="day").cast("int32"),
    )
    days = lines.filter(_.gap_days.isnull() | (_.gap_days > 0))
    days = days.mutate(
        week=((_.age_days - 1) // DAYS_PER_WEEK).cast("int32"),
        opens_week=opens(_.age_days, _.gap_days, DAYS_PER_WEEK).cast("int32"),
    )
    return History(days.order_by("customer_id"))


def known_since(rows: Table, key: str, history: History) -> Table:
    """Add known_days, the age of the first purchase, to customers or products; null where there is none.

    Args:
        rows: with `key`.
        key: customer_id or product_id.
        history: purchases before the cutoff from which the age counts.
    """
    first = history.days.group_by(key).agg(known_days=_.age_days.max())
    return rows.left_join(first, key).drop(f"{key}_right")


def opens(age_days: Value, gap_days: Value, step_days: int) -> Value:
    """Whether the pair has no earlier day in the same step, counted back from age 1."""
    in_step = (age_days - 1) % step_days
    return gap_days.isnull() | (in_step + gap_days >= step_days)


def decayed(week: Column, decay: float, times: Column | int = 1) -> Column:
    """Sum of `times`, each worth `decay` of the same a week later: the same to the last bit in any order."""
    # As floats: DuckDB takes a literal for a decimal, whose products cost it twenty times as much.
    weight = ((week.cast("float64") * math.log(decay)).exp() * WEIGHT_UNIT).round()
    return (weight * times).sum() / WEIGHT_UNIT


def gap_sums(age_days: Column, gap_days: Column) -> dict[str, Value]:
    """Columns to aggregate for `with_gaps`, of groups with a row a day."""
    return {
        "n_days": age_days.count(),
        "gap_squares": (gap_days * gap_days).sum(),
        "gap_median": gap_days.median(),
    }


def with_gaps(sums: Table, prefix: str) -> Table:
    """Put <prefix>_gap_mean_days, _median_ and _std_ in place of the columns of `gap_sums`.

    All three are null where there is one day. `sums` has <prefix>_recency_days and _tenure_days.
    """
    n = (sums.n_days - 1).nullif(0)
    total = sums[f"{prefix}_tenure_days"] - sums[f"{prefix}_recency_days"]
    variance = (n * sums.gap_squares - total * total) / (n * n)
    figures = {
        f"{prefix}_gap_mean_days": total / n,
        f"{prefix}_gap_median_days": sums.gap_median,
        f"{prefix}_gap_std_days": variance.sqrt(),
    }
    return sums.mutate(**figures).drop("n_days", "gap_squares", "gap_median")
