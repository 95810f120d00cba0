"""The training set: its folds over time, the weight of each row, and samples of it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sodai.model.trained_model import features_frame

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# A row weighs this much of a row that is one period newer: about two fifths after twelve periods.
RECENCY_DECAY = 0.93

# Of the rows that were not bought, a sample keeps this share at least: with fewer, the lists became worse by
# more than the time that was saved.
SMALLEST_NEGATIVE_SHARE = 0.3


@dataclass(frozen=True)
class Rows:
    """Rows to train or to test on.

    Attributes:
        X: (n, 72) features.
        y: (n,) target, 1 if bought in the period.
        weight: (n,) weight of each row.
        group: (n,) number of the row's group: the candidates of one customer in one period, which are next
            to each other.
    """

    X: pd.DataFrame
    y: npt.NDArray[np.int8]
    weight: Floats
    group: Indices


@dataclass(frozen=True)
class Fold:
    """One closed period to test on, and rows of earlier periods to train on."""

    cutoff: pd.Timestamp
    train: Rows
    valid: Rows


@dataclass(frozen=True)
class TrainingSet:
    """The rows of all periods that a model is trained on.

    Attributes:
        X, y, group: see Rows.
        cutoff: (n,) first day of each row's period.
        step_days: days between two cutoffs.
        seed: seed of every sample.
    """

    X: pd.DataFrame
    y: npt.NDArray[np.int8]
    group: Indices
    cutoff: pd.Series
    step_days: int
    seed: int

    @classmethod
    def from_table(cls, table: pa.Table, step_days: int, seed: int) -> Self:
        """Return the training set of a training table.

        Args:
            table: the columns of TRAINING.
            step_days: days between two cutoffs.
            seed: seed of every sample.
        """
        cutoff = pd.to_datetime(table["cutoff"].to_pandas())
        group = number_groups(cutoff, table["customer_id"].to_numpy())
        return cls(features_frame(table), table["target"].to_numpy(), group, cutoff, step_days, seed)

    def folds(self, n_folds: int, max_rows: int) -> list[Fold]:
        """Return rolling-origin folds, newest first: each tests on one period and trains on earlier ones.

        Args:
            n_folds: number of folds; fewer, or none, where fewer periods can be tested on.
            max_rows: rows to train each fold on, about, see `sample_rows`.
        """
        rng = np.random.default_rng(self.seed)
        return [self._fold(day, max_rows, rng) for day in self.testable_cutoffs()[:n_folds]]

    def testable_cutoffs(self) -> list[pd.Timestamp]:
        """Return the cutoffs of the periods that a fold can test on, newest first; there may be none."""
        # A fold trains on at least one purchase. On a period with purchases only, or with none, every model
        # has the same average precision.
        bought = set(self.cutoff[self.y == 1].unique())
        both_classes = bought & set(self.cutoff[self.y == 0].unique())
        return sorted((day for day in both_classes if day > min(bought)), reverse=True)

    def sample(self, max_rows: int) -> Rows:
        """Return about `max_rows` rows of all periods with their recency weights, see `sample_rows`."""
        weight = recency_weights(self.cutoff, self.cutoff.max(), self.step_days)
        rng = np.random.default_rng(self.seed)
        kept, weight = sample_rows(self.y, weight, self.group, max_rows, rng)
        if len(kept) == len(self.y):  # no copy: a training set may have millions of rows
            return Rows(self.X, self.y, weight, self.group)
        return self._rows(kept, weight)

    def _fold(self, tested: pd.Timestamp, max_rows: int, rng: np.random.Generator) -> Fold:
        before = np.flatnonzero(self.cutoff < tested)
        weight = recency_weights(self.cutoff.iloc[before], tested, self.step_days)
        kept, weight = sample_rows(self.y[before], weight, self.group[before], max_rows, rng)
        inside = (self.cutoff == tested).to_numpy()
        valid = Rows(self.X[inside], self.y[inside], np.ones(int(inside.sum())), self.group[inside])
        return Fold(tested, self._rows(before[kept], weight), valid)

    def _rows(self, positions: Indices, weight: Floats) -> Rows:
        X = self.X.iloc[positions].reset_index(drop=True)
        return Rows(X, self.y[positions], weight, self.group[positions])


def number_groups(cutoff: pd.Series, customer_id: Indices) -> Indices:
    """Return the number of each row's group, in the order of the rows: (n,).

    Args:
        cutoff: (n,) rows of one period, and in it of one customer, are next to each other.
        customer_id: (n,) customer of each row.
    """
    starts = (cutoff != cutoff.shift()).to_numpy() | (np.diff(customer_id, prepend=-1) != 0)
    return np.cumsum(starts).astype(np.int64)


def periods_back(cutoff: pd.Series, newest: pd.Timestamp, step_days: int) -> Indices:
    """Return by how many periods each cutoff is older than `newest`: (n,), 0 for the newest."""
    return ((newest - cutoff).dt.days // step_days).to_numpy()


def recency_weights(cutoff: pd.Series, newest: pd.Timestamp, step_days: int) -> Floats:
    """Return the weight of each row by the age of its period: (n,), 1 for `newest`."""
    return np.power(RECENCY_DECAY, periods_back(cutoff, newest, step_days)).astype(np.float64)


def sample_rows(
    y: npt.NDArray[np.int8], weight: Floats, group: Indices, max_rows: int, rng: np.random.Generator
) -> tuple[Indices, Floats]:
    """Sample about `max_rows` rows; return their positions in ascending order and their weights.

    Negatives (rows that were not bought) are sampled first, down to SMALLEST_NEGATIVE_SHARE; if that leaves
    too many rows, whole groups are sampled too.

    Args:
        y, weight, group: (n,) see Rows.
        max_rows: wanted number of rows, about.
        rng: generator of the sample.
    """
    bought = y == 1
    n_bought, n_negative = int(bought.sum()), int((~bought).sum())
    share = float(np.clip((max_rows - n_bought) / max(n_negative, 1), SMALLEST_NEGATIVE_SHARE, 1.0))
    group_share = min(1.0, max_rows / max(n_bought + share * n_negative, 1.0))
    if share == 1.0 and group_share == 1.0:
        return np.arange(len(y)), weight
    groups, position = np.unique(group, return_inverse=True)
    kept = (rng.random(len(groups)) < group_share)[position] & (bought | (rng.random(len(y)) < share))
    # A negative also weighs for those left out, so that the model's probabilities stay the same.
    return np.flatnonzero(kept), np.where(bought, weight, weight / share)[kept]


def sample_groups(group: Indices, max_rows: int) -> npt.NDArray[np.bool_]:
    """Return the mask (n,) of about `max_rows` rows in whole groups, the same ones at every call."""
    groups, position = np.unique(group, return_inverse=True)
    share = max_rows / max(len(group), 1)
    return np.asarray((np.random.default_rng(0).random(len(groups)) < share)[position])
