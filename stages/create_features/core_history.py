"""The purchases before a cutoff: every feature reads purchases through `History`, and nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import ibis
from ibis import _
from ibis.expr.types import Column, Table, Value

from sodai.data.periods import DAYS_PER_WEEK

# Sums of floats depend on the order in which threads deliver them; sums of whole numbers below 2^53 do
# not, so weights and quantities are added as whole multiples of 1 / scale.
WEIGHT_SCALE = 2**32
QUANTITY_SCALE = 1000

# Computes a table once, under a name, and returns the stored table.
Materialize = Callable[[str, Table], Table]


@dataclass(frozen=True)
class History:
    """Purchases before a cutoff.

    Args:
        days: one row for each pair and day: customer_id, product_id, age_days (1 = the day before the
            cutoff), week (0 = the last seven days), milli_units, gap_days (since the pair's purchase before
            it, null for the first), opens_week (1 on the pair's first day of a week, else 0).
    """

    days: Table

    @property
    def weeks(self) -> Table:
        """Return customer_id, product_id, week: one row for each pair and week with a purchase."""
        return self.days.filter(_.opens_week == 1).select("customer_id", "product_id", "week")

    def of_customers(self, customers: Table) -> "History":
        """Return the history of the customers in the rows of `customers` alone."""
        return History(self.days.semi_join(customers, "customer_id"))

    def shift_to(self, cutoff_row: Table) -> "History":
        """Return what was known at the cutoff of an earlier period.

        Args:
            cutoff_row: one row: weeks_back, from this history's cutoff to that one.
        """
        known = self.days.cross_join(cutoff_row.select("weeks_back")).filter(_.week >= _.weeks_back)
        return History(
            known.mutate(age_days=_.age_days - DAYS_PER_WEEK * _.weeks_back, week=_.week - _.weeks_back).drop(
                "weeks_back"
            )
        )

    def materialize(self, name: str, materialize: Materialize) -> "History":
        """Return the same history, computed once."""
        return History(materialize(name, self.days))


def build_history(transactions: Table, cutoff: date) -> History:
    """Return the purchases dated before `cutoff`, in order of the customer.

    Args:
        transactions: the columns of TRANSACTIONS; later rows are ignored.
        cutoff: exclusive.
    """
    seen = transactions.filter(_.purchase_date < cutoff)
    pair = {"group_by": ["customer_id", "product_id"], "order_by": "purchase_date"}
    before = seen.purchase_date.lag().over(ibis.window(**pair))
    # The frame is one day: every order of a day has the sum of all; the filter below keeps the first.
    on_the_day = (seen.n_units * QUANTITY_SCALE).round().cast("int64").sum()
    orders = seen.select(
        "customer_id",
        "product_id",
        age_days=ibis.literal(cutoff).delta(seen.purchase_date, unit="day").cast("int32"),
        milli_units=on_the_day.over(ibis.range_window(preceding=0, following=0, **pair)).cast("int64"),
        gap_days=seen.purchase_date.delta(before, unit="day").cast("int32"),
    )
    days = orders.filter(_.gap_days.isnull() | (_.gap_days > 0))
    days = days.mutate(
        week=((_.age_days - 1) // DAYS_PER_WEEK).cast("int32"),
        opens_week=is_first_in_step(_.age_days, _.gap_days, DAYS_PER_WEEK).cast("int32"),
    )
    return History(days.order_by("customer_id"))


def add_known_days(rows: Table, key: str, history: History) -> Table:
    """Add known_days, the age of the first purchase, to customers or products; null without a purchase.

    Args:
        rows: with `key`.
        key: customer_id or product_id.
        history: purchases before the cutoff from which ages count.
    """
    first = history.days.group_by(key).agg(known_days=_.age_days.max())
    return rows.left_join(first, key).drop(f"{key}_right")


def is_first_in_step(age_days: Value, gap_days: Value, step_days: int) -> Value:
    """Return whether the pair has no earlier day in the same step, counted back from age 1."""
    in_step = (age_days - 1) % step_days
    return gap_days.isnull() | (in_step + gap_days >= step_days)


def decayed_sum(week: Column, decay: float, times: Column | int = 1) -> Column:
    """Return the sum of `times`, weighted by `decay` to the power of `week`; the same bits in any order."""
    # As floats: DuckDB takes a literal for a decimal, whose products cost it twenty times as much.
    weight = ((week.cast("float64") * math.log(decay)).exp() * WEIGHT_SCALE).round()
    return (weight * times).sum() / WEIGHT_SCALE


def gap_aggregates(age_days: Column, gap_days: Column) -> dict[str, Value]:
    """Return the columns that `add_gap_features` needs, to aggregate over one row a day."""
    return {
        "n_days": age_days.count(),
        "gap_squares": (gap_days * gap_days).sum(),
        "gap_median": gap_days.median(),
    }


def add_gap_features(sums: Table, prefix: str) -> Table:
    """Replace the columns of `gap_aggregates` by <prefix>_gap_mean_days, _median_days and _std_days.

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
