"""A sample of customers to learn from, where the candidates of all would be too many."""

from ibis import _
from ibis.expr.types import Table

from create_features.core_candidates import Bounds
from create_features.core_history import History

_DIGITS = 8
_MAX_HALVINGS = 4 * (_DIGITS - 1)


def count_halvings(n_rows: float, max_rows: int) -> int:
    """Return how often `n_rows` must be halved to be at most `max_rows`."""
    # Halves, so that a little more data from week to week rarely changes the sample.
    n = 0
    while n_rows > max_rows and n < _MAX_HALVINGS:
        n_rows, n = n_rows / 2, n + 1
    return n


def count_candidates(history: History, customers: Table, bounds: Bounds) -> Table:
    """Count the candidates of the customers, at most: pairs bought and products offered; one row, n."""
    bought = history.days.agg(n_bought=_.count(where=_.gap_days.isnull()))
    both = bought.cross_join(customers.agg(n_customers=_.count()))
    return both.select(n=_.n_bought + _.n_customers * bounds.n_popular)


def sample_customers(customers: Table, halvings: int) -> Table:
    """Return the customers that remain after some halvings: the same in every period, run and engine.

    Samples are nested: each further halving keeps a subset. `customers` has customer_id.
    """
    digest = customers.customer_id.cast("string").hexdigest("md5")
    bound = f"{(16**_DIGITS - 1) >> halvings:0{_DIGITS}x}"
    return customers.filter(digest[:_DIGITS] <= bound)
