"""Published next-basket recommenders, implemented over weekly baskets as their papers describe them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.histories import History
from benchmarks.rules import popularity

GRIDS: dict[str, list[dict[str, Any]]] = {
    "tifu_knn": [
        {"group_size": size, "within": within, "between": between, "alpha": alpha, "neighbours": neighbours}
        for size in (3, 7)
        for within in (0.9, 1.0)
        for between in (0.6, 0.8)
        for alpha in (0.7, 0.9)
        for neighbours in (100, 300)
    ],
    "up_cf": [
        {"recency": recency, "alpha": alpha, "locality": locality}
        for recency in (3, 5, 10)
        for alpha in (0.25, 0.5)
        for locality in (5, 25)
    ],
    "bm25_item_item": [{"k1": k1, "b": b} for k1 in (0.6, 1.2) for b in (0.2, 0.75)],
}


def tifu_knn(
    history: History, k: int, group_size: int, within: float, between: float, alpha: float, neighbours: int
) -> pd.DataFrame:
    """Rank with TIFU-KNN (Hu et al., SIGIR 2020): decayed baskets in decayed groups, blended with neighbours.

    Args:
        history: purchases before the period.
        k: list length.
        group_size: baskets in a group, counted from the newest.
        within: decay of a basket inside its group.
        between: decay of a group.
        alpha: weight of the customer's own vector; the mean of the neighbours gets 1 - alpha.
        neighbours: nearest customers by Euclidean distance.
    """
    vectors, distance = _tifu_space(history, group_size, within, between)
    near = _nearest(-distance, min(neighbours, len(history.customers) - 1))
    if not near.nnz:
        return history.top(lambda rows: vectors[rows], popularity(history), k)
    return history.top(
        lambda rows: alpha * vectors[rows] + (1 - alpha) * (near[rows] @ vectors), popularity(history), k
    )


# Tuning needs the same space of four periods with several weights of the neighbours.
@lru_cache(maxsize=4)
def _tifu_space(
    history: History, group_size: int, within: float, between: float
) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the vectors of the customers and their squared distances, infinite on the diagonal."""
    position = history.basket_positions()
    baskets = pd.Series(position).groupby(history.purchases["customer"].to_numpy()).transform("max") + 1
    groups = np.ceil(baskets / group_size).to_numpy()
    group = position // group_size
    in_group = np.minimum(group_size, baskets.to_numpy() - group * group_size)
    weight = within ** (position % group_size) * between**group / (in_group * groups)
    vectors = history.matrix(weight)
    squares = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    distance = squares[:, None] + squares[None, :] - 2 * (vectors @ vectors.T).toarray()
    np.fill_diagonal(distance, np.inf)
    return vectors, distance


def up_cf(history: History, k: int, recency: int, alpha: float, locality: float) -> pd.DataFrame:
    """Rank with UP-CF (Faggioli et al., UMAP 2020): user-wise recent popularity, asymmetric cosine.

    Args:
        history: purchases before the period.
        k: list length.
        recency: number of newest baskets of a customer that count.
        alpha: asymmetry of the similarity; 0.5 is the cosine.
        locality: power of the similarity; a large power favours few close neighbours.
    """
    position = history.basket_positions()
    baskets = pd.Series(position).groupby(history.purchases["customer"].to_numpy()).transform("max") + 1
    weight = (position < recency) / np.minimum(recency, baskets.to_numpy())
    popular = history.matrix(weight)
    popular.eliminate_zeros()
    norms = np.asarray(popular.multiply(popular).sum(axis=1)).ravel()
    overlap = (popular @ popular.T).toarray()
    scale = norms[:, None] ** alpha * norms[None, :] ** (1 - alpha)
    similarity = np.divide(overlap, scale, out=np.zeros_like(overlap), where=scale > 0) ** locality
    return history.top(lambda rows: similarity[rows] @ popular, popularity(history), k)


def bm25_item_item(history: History, k: int, k1: float, b: float) -> pd.DataFrame:
    """Rank by item-item neighbours on BM25-weighted purchases, without the customer's own counts.

    Args:
        history: purchases before the period.
        k: list length.
        k1: saturation of repeated purchases.
        b: normalisation by the length of a customer's history.
    """
    counts = history.matrix(np.ones(len(history.purchases)))
    length = np.asarray(counts.sum(axis=1)).ravel()
    buyers = np.bincount(counts.tocoo().col, minlength=counts.shape[1])
    rarity = np.log(len(history.customers)) - np.log1p(buyers)
    entry = counts.tocoo()
    saturation = k1 * (1 - b + b * length[entry.row] / length.mean())
    value = entry.data * (k1 + 1) / (saturation + entry.data) * rarity[entry.col]
    weighted = sparse.csr_array(sparse.coo_array((value, (entry.row, entry.col)), counts.shape))
    return history.top(lambda rows: (counts[rows] @ weighted.T) @ weighted, popularity(history), k)


PEERS: dict[str, Callable[..., pd.DataFrame]] = {
    "tifu_knn": tifu_knn,
    "up_cf": up_cf,
    "bm25_item_item": bm25_item_item,
}


def _nearest(closeness: np.ndarray, n: int) -> sparse.csr_array:
    """Return a row-stochastic matrix that averages the n closest rows of each row."""
    rows = len(closeness)
    if n < 1:
        return sparse.csr_array((rows, rows))
    closest = np.argpartition(-closeness, n - 1, axis=1)[:, :n]
    entries = np.full(rows * n, 1 / n)
    return sparse.csr_array(
        sparse.coo_array((entries, (np.repeat(np.arange(rows), n), closest.ravel())), (rows, rows))
    )
