"""Whose candidates a model learns from where those of all customers would be too many."""

from ibis import _
from ibis.expr.types import Table

from create_features.core import Bounds
from create_features.core_history import History

_DIGITS = 8
_MOST_HALVINGS = 4 * (_DIGITS - 1)


def halvings(n_rows: float, n_wanted: int) -> int:
    """How often `n_rows` must be halved to be at most `n_wanted`.

    Halves, so that a little more data from week to week does not change who is taken.
    """
    n = 0
    while n_rows > n_wanted and n < _MOST_HALVINGS:
        n_rows, n = n_rows / 2, n + 1
    return n


def most_candidates(history: History, customers: Table, bounds: Bounds) -> Table:
    """How many candidates the customers have at most, of those bought and those offered: one row, n."""
    bought = history.days.agg(n_bought=_.count(where=_.gap_days.isnull()))
    both = bought.cross_join(customers.agg(n_customers=_.count()))
    return both.select(n=_.n_bought + _.n_customers * bounds.n_popular)


def sampled(customers: Table, halved: int) -> Table:
    """The customers that remain after so many halvings: the same in every period, run and engine.

    Whom one halving more leaves are among those whom one less leaves. `customers` has customer_id.
    """
    digest = customers.customer_id.cast("string").hexdigest("md5")
    bound = f"{(16**_DIGITS - 1) >> halved:0{_DIGITS}x}"
    return customers.filter(digest[:_DIGITS] <= bound)
