"""Metrics of ranked lists, purchase sets and probabilities, with their denominators and empty cases."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from sodai.data.catalog import LIST_LENGTH, PAIR
from sodai.data.customer_groups import group_starts


def ranking_metrics(
    ranked: pd.DataFrame, truth: pd.DataFrame, ks: tuple[int, ...] = (5, 10)
) -> dict[str, float]:
    """Return recall, precision, NDCG, F1 and hit rate at each k, averaged over the customers who bought.

    These are the means of `customer_metrics`; a customer who bought but has no list counts as zero.

    Args:
        ranked: customer_id, product_id, rank (1 = best), unique pairs.
        truth: customer_id, product_id, the distinct pairs bought in the period.
        ks: list lengths.

    Returns:
        `recall_at_5`, `precision_at_5`, `ndcg_at_5`, `f1_at_5`, `hit_rate_at_5` and so on; all 0.0
        without a purchase.
    """
    by_customer = customer_metrics(ranked, truth, ks)
    means = by_customer.mean() if len(by_customer) else by_customer.sum()
    return {str(name): float(value) for name, value in means.items()}


def customer_metrics(
    ranked: pd.DataFrame, truth: pd.DataFrame, ks: tuple[int, ...] = (5, 10)
) -> pd.DataFrame:
    """Return the ranking metrics of every customer who bought.

    recall_at_k divides by the number of products bought, precision_at_k by k, f1_at_k is their harmonic
    mean, ndcg_at_k divides by the gain of the best possible list of length k, hit_rate_at_k is 1 if any of
    the k products was bought.

    Args:
        ranked, truth, ks: as in `ranking_metrics`.

    Returns:
        one row per customer, indexed by customer_id in ascending order.
    """
    n_bought = truth.groupby("customer_id").size().sort_index()
    hits = ranked.loc[ranked["rank"] <= max(ks), [*PAIR, "rank"]].merge(truth[PAIR], on=PAIR)
    gains = 1 / np.log2(np.arange(2, max(ks) + 2))
    columns: dict[str, pd.Series] = {}
    for k in ks:
        within = hits[hits["rank"] <= k]
        n_hits = within.groupby("customer_id").size().reindex(n_bought.index, fill_value=0)
        gain = (
            pd.Series(gains[within["rank"].to_numpy() - 1], index=within["customer_id"])
            .groupby(level=0)
            .sum()
        )
        ideal = np.cumsum(gains)[np.minimum(n_bought.to_numpy(), k) - 1]
        columns[f"recall_at_{k}"] = n_hits / n_bought
        columns[f"precision_at_{k}"] = n_hits / k
        columns[f"ndcg_at_{k}"] = gain.reindex(n_bought.index, fill_value=0.0) / ideal
        columns[f"f1_at_{k}"] = 2 * n_hits / (n_bought + k)
        columns[f"hit_rate_at_{k}"] = (n_hits > 0).astype(float)
    return pd.DataFrame(columns, index=n_bought.index)


def mean_ndcg_of_lists(
    y_true: npt.NDArray[np.int8], y_score: npt.NDArray[np.float64], group: npt.NDArray[np.int64]
) -> float:
    """Return the mean NDCG@10 over the lists with a purchase among their candidates.

    The faster form of `customer_metrics`, on arrays, for a search that computes it hundreds of times.

    Args:
        y_true: (n,) 1 if bought; at least one is.
        y_score: (n,) larger is better; ties keep the order of the rows.
        group: (n,) list of each row.
    """
    order = np.lexsort((-y_score, group))
    ordered, lists = y_true[order], group[order]
    starts = group_starts(lists)
    position = np.arange(len(lists)) - np.repeat(starts, np.diff(np.append(starts, len(lists))))
    gain = np.where(position < LIST_LENGTH, ordered / np.log2(position + 2), 0.0)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(LIST_LENGTH) + 2))])
    n_bought = np.add.reduceat(ordered.astype(np.int64), starts)
    bought = n_bought > 0
    return float(
        (np.add.reduceat(gain, starts)[bought] / ideal[np.minimum(n_bought[bought], LIST_LENGTH)]).mean()
    )


def set_metrics(predicted: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Return precision, recall and F1 of a purchase set over all customers.

    Args:
        predicted: customer_id, product_id, the distinct pairs of the purchase set.
        truth: customer_id, product_id, the distinct pairs bought in the period.

    Returns:
        `set_precision` (0.0 if nothing was predicted), `set_recall` (0.0 if nothing was bought),
        `set_f1` (0.0 if both are empty), `n_predicted`, `n_bought`.
    """
    n_hits = len(predicted[PAIR].merge(truth[PAIR], on=PAIR))
    n_predicted, n_bought = len(predicted), len(truth)
    return {
        "set_precision": n_hits / n_predicted if n_predicted else 0.0,
        "set_recall": n_hits / n_bought if n_bought else 0.0,
        "set_f1": 2 * n_hits / (n_predicted + n_bought) if n_predicted + n_bought else 0.0,
        "n_predicted": float(n_predicted),
        "n_bought": float(n_bought),
    }


def calibration_table(
    y_true: npt.NDArray[np.float64], y_score: npt.NDArray[np.float64], n_bins: int = 10
) -> pd.DataFrame:
    """Compare mean probability and realised share, by quantile of the probability.

    Args:
        y_true: (n,) 1 if bought.
        y_score: (n,) probabilities.
        n_bins: number of quantile bins.

    Returns:
        n_rows, mean_probability, realised_share of each non-empty bin, by ascending probability.
    """
    edges = np.unique(np.quantile(y_score, np.linspace(0, 1, n_bins + 1)[1:-1]))
    bins = np.searchsorted(edges, y_score, side="right")
    grouped = pd.DataFrame({"bin": bins, "y_true": y_true, "y_score": y_score}).groupby("bin")
    return grouped.agg(
        n_rows=("y_true", "size"), mean_probability=("y_score", "mean"), realised_share=("y_true", "mean")
    ).reset_index(drop=True)


def calibration_error(y_true: npt.NDArray[np.float64], y_score: npt.NDArray[np.float64]) -> float:
    """Return the mean absolute gap between probability and realised share over ten quantile bins, by rows."""
    table = calibration_table(y_true, y_score)
    gaps = (table["mean_probability"] - table["realised_share"]).abs()
    return float(np.average(gaps, weights=table["n_rows"]))


def rounded(figures: Mapping[str, float], digits: int = 6) -> dict[str, float]:
    """Return the same figures rounded, for records that people read."""
    return {name: round(float(value), digits) for name, value in figures.items()}
