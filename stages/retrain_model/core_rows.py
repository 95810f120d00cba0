"""Which rows a model learns from, how much each counts, and which closed periods test it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

# A row of a period counts this much of a row one period newer: about two fifths after twelve periods.
FADING = 0.93

# The smallest part of the rows that were not bought: below it lists lost more than rows saved time.
SMALLEST_SHARE = 0.3


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to test on: features (n, 72), target, weight and list of each (n,).

    A list is a customer in a period; its rows stand next to each other.
    """

    X: pd.DataFrame
    y: npt.NDArray[np.int8]
    weight: Floats
    group: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One closed period to test on, and the rows of earlier periods to learn from."""

    cutoff: pd.Timestamp
    train: Rows
    valid: Rows


@dataclass(frozen=True)
class Lessons:
    """All that a training learns from: rows of closed periods, and what folds and fits are cut by.

    `cutoff` is the first day of the period of each row (n,), `step_days` lies between two of them,
    `seed` is that of every draw. The weights of `rows` are not used.
    """

    rows: Rows
    cutoff: pd.Series
    step_days: int
    seed: int

    def folds(self, n_folds: int, max_rows: int) -> list[Fold]:
        """See `rolling_folds`."""
        rng, rows = np.random.default_rng(self.seed), self.rows
        return rolling_folds(rows.X, rows.y, self.cutoff, rows.group, n_folds, self.step_days, max_rows, rng)

    def sample(self, max_rows: int) -> Rows:
        """Rows of all periods, newer ones counting more, about `max_rows` of them."""
        weight = faded(self.cutoff, self.cutoff.max(), self.step_days)
        return sampled(replace(self.rows, weight=weight), max_rows, np.random.default_rng(self.seed))


def periods_back(cutoff: pd.Series, newest: pd.Timestamp, step_days: int) -> npt.NDArray[np.int64]:
    """How many periods older than `newest` each cutoff is: (n,) 0 for the newest."""
    return ((newest - cutoff).dt.days // step_days).to_numpy()


def faded(cutoff: pd.Series, newest: pd.Timestamp, step_days: int) -> Floats:
    """How much a row counts: (n,) 1 for the newest period, less for every period before it."""
    return np.power(FADING, periods_back(cutoff, newest, step_days)).astype(np.float64)


def sampled(rows: Rows, max_rows: int, rng: np.random.Generator) -> Rows:
    """A part of the rows, about `max_rows` of them: first fewer negatives, then fewer lists.

    Of the rows that were not bought a part of `SMALLEST_SHARE` at least is kept: with fewer of them a
    bought row has too little beside it to learn from. Where that is still too much, whole lists are
    drawn. A kept negative counts for as many as it stands for, so that probabilities stay as they are.

    Args:
        rows: what to draw from.
        max_rows: wanted, about.
        rng: of the draw.
    """
    kept, weight = _drawn(rows.y, rows.weight, rows.group, max_rows, rng)
    if len(kept) == len(rows.y):  # and no copy: there may be millions
        return rows
    return Rows(rows.X.iloc[kept].reset_index(drop=True), rows.y[kept], weight, rows.group[kept])


def _drawn(
    y: npt.NDArray[np.int8],
    weight: Floats,
    group: npt.NDArray[np.int64],
    max_rows: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Which rows to keep, in their order, and the weights that they get: see `sampled`."""
    bought = y == 1
    n_bought, n_negative = int(bought.sum()), int((~bought).sum())
    share = float(np.clip((max_rows - n_bought) / max(n_negative, 1), SMALLEST_SHARE, 1.0))
    of_lists = min(1.0, max_rows / max(n_bought + share * n_negative, 1.0))
    if share == 1.0 and of_lists == 1.0:
        return np.arange(len(y)), weight
    lists, place = np.unique(group, return_inverse=True)
    kept = (rng.random(len(lists)) < of_lists)[place] & (bought | (rng.random(len(y)) < share))
    return np.flatnonzero(kept), np.where(bought, weight, weight / share)[kept]


def kept_lists(group: npt.NDArray[np.int64], max_rows: int) -> npt.NDArray[np.bool_]:
    """Which rows to keep so that about `max_rows` are left, in whole lists, always the same ones: (n,)."""
    lists, place = np.unique(group, return_inverse=True)
    share = max_rows / max(len(group), 1)
    return np.asarray((np.random.default_rng(0).random(len(lists)) < share)[place])


def lists_of(cutoff: pd.Series, customer_id: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The list of each row, numbered in the order of the rows: (n,).

    Args:
        cutoff: of each row; rows of a period and, within it, of a customer stand next to each other.
        customer_id: of each row.
    """
    turns = (cutoff != cutoff.shift()).to_numpy() | (np.diff(customer_id, prepend=-1) != 0)
    return np.cumsum(turns).astype(np.int64)


def rolling_folds(
    X: pd.DataFrame,
    y: npt.NDArray[np.int8],
    cutoff: pd.Series,
    group: npt.NDArray[np.int64],
    n_folds: int,
    step_days: int,
    max_rows: int,
    rng: np.random.Generator,
) -> list[Fold]:
    """Rolling-origin folds, newest first: each tests on one period what earlier periods taught.

    A training period ends before the tested one begins, because periods of one kind do not overlap.
    Something was bought in what a fold learns from, and some but not all in what it tests on: where
    nothing was, every model is perfect to average precision, from its first tree on. There may be no fold.

    Args:
        X, y, cutoff, group: the training rows, (n, ...) with one order.
        n_folds: wanted; fewer where fewer periods can be tested on.
        step_days: days between two cutoffs.
        max_rows: to learn from in each fold, see `sampled`.
        rng: of the sampling.
    """
    with_both = set(cutoff[y == 1].unique()) & set(cutoff[y == 0].unique())
    first = cutoff[y == 1].min()
    testable = sorted((day for day in with_both if day > first), reverse=True)
    return [_fold(X, y, cutoff, group, tested, step_days, max_rows, rng) for tested in testable[:n_folds]]


def _fold(
    X: pd.DataFrame,
    y: npt.NDArray[np.int8],
    cutoff: pd.Series,
    group: npt.NDArray[np.int64],
    tested: pd.Timestamp,
    step_days: int,
    max_rows: int,
    rng: np.random.Generator,
) -> Fold:
    before, inside = np.flatnonzero(cutoff < tested), (cutoff == tested).to_numpy()
    weight = faded(cutoff.iloc[before], tested, step_days)
    drawn, weight = _drawn(y[before], weight, group[before], max_rows, rng)
    kept = before[drawn]
    train = Rows(X.iloc[kept].reset_index(drop=True), y[kept], weight, group[kept])
    return Fold(tested, train, Rows(X[inside], y[inside], np.ones(int(inside.sum())), group[inside]))
