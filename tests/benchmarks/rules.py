"""Rules without a model: frequencies, momentum, and two purchase sets that a call centre could count."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from benchmarks.histories import History

DECAY = 0.9
MOMENTUM_WEEKS = 8
MOMENTUM_POWER = 0.6
MOMENTUM_SHARE = 5.0


def popularity(history: History) -> npt.NDArray[np.float64]:
    """Return the number of customer-weeks with a purchase of each product: (n products,)."""
    return np.bincount(history.purchases["product"], minlength=len(history.products)).astype(float)


def global_frequency(history: History, k: int) -> pd.DataFrame:
    """Return the same list for every customer: the products bought in most customer-weeks."""
    no_scores = sparse.csr_array((len(history.customers), len(history.products)))
    return history.top(lambda rows: no_scores[rows], popularity(history), k)


def personal_frequency(history: History, k: int) -> pd.DataFrame:
    """Rank by weeks with a purchase, filled with the global order."""
    weeks = history.matrix(np.ones(len(history.purchases)))
    return history.top(lambda rows: weeks[rows], popularity(history), k)


def decayed_frequency(history: History, k: int) -> pd.DataFrame:
    """Rank by weeks with a purchase, each weighted .9 of the week after it, filled with the global order."""
    decayed = history.matrix(DECAY ** history.purchases["age"])
    return history.top(lambda rows: decayed[rows], popularity(history), k)


def decayed_frequency_with_momentum(history: History, k: int) -> pd.DataFrame:
    """Rank by decayed frequency times the momentum of the product, plus its share of last week.

    Momentum compares the buyers of last week with the mean of eight weeks. Filled with the products that
    sold most last week.
    """
    buyers = _buyers_by_week(history)
    last_week, mean = buyers[:, 0], buyers.mean(axis=1)
    momentum = ((last_week + 1) / (mean + 1)) ** MOMENTUM_POWER
    share = MOMENTUM_SHARE * last_week / max(last_week.sum(), 1.0)
    decayed = history.matrix(DECAY ** history.purchases["age"])
    return history.top(lambda rows: decayed[rows].toarray() * momentum + share, last_week, k)


def bought_last_week(history: History) -> pd.DataFrame:
    """Return the pairs bought in the last seven days, as a predicted set."""
    return bought_in_weeks(history, 1, 1)


def bought_in_weeks(history: History, at_least: int, of_last: int) -> pd.DataFrame:
    """Return the pairs bought in at least `at_least` of the last `of_last` weeks, as a predicted set."""
    recent = history.purchases[history.purchases["age"] < of_last]
    weeks = recent.groupby(["customer", "product"]).size()
    pairs = weeks[weeks >= at_least].index.to_frame(index=False)
    return pd.DataFrame(
        {
            "customer_id": history.customers[pairs["customer"].to_numpy(int)],
            "product_id": history.products[pairs["product"].to_numpy(int)],
        }
    )


def _buyers_by_week(history: History) -> npt.NDArray[np.float64]:
    recent = history.purchases[history.purchases["age"] < MOMENTUM_WEEKS]
    buyers = np.zeros((len(history.products), MOMENTUM_WEEKS))
    np.add.at(buyers, (recent["product"], recent["age"]), 1.0)
    return buyers
