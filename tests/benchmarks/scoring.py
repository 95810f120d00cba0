"""Quality of lists, sets and probabilities in one period, and differences between two models."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from sodai.data.catalog import LIST_LENGTH, PAIR
from sodai.evaluation.metrics import calibration_error, customer_metrics, ranking_metrics, set_metrics

KS = (5, 10)


def purchases_in(transactions: pd.DataFrame, first: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Return the distinct pairs with a purchase from `first` (inclusive) to `end` (exclusive)."""
    day = pd.to_datetime(transactions["purchase_date"])
    return transactions.loc[(day >= first) & (day < end), PAIR].drop_duplicates(ignore_index=True)


def list_figures(ranked: pd.DataFrame, truth: pd.DataFrame, seen: pd.DataFrame) -> dict[str, float]:
    """Return the figures that need only ranks: quality per buying customer, coverage and personalisation.

    Args:
        ranked: customer_id, product_id, rank.
        truth: distinct pairs bought in the period.
        seen: distinct pairs bought at any time before the period.

    Returns:
        The figures of `ranking_metrics` at 5 and 10; `repeat_recall_at_10` and `new_recall_at_10`
        (recall of the pairs bought before and of the others, over customers who bought such a
        pair); `coverage` (products on some list / products on sale in the truth or on a list) and
        `personalisation` (1 - mean overlap of two customers' lists).
    """
    best = ranked[ranked["rank"] <= LIST_LENGTH]
    figures = ranking_metrics(best, truth, KS)
    repeated = (truth.merge(seen, on=PAIR, how="left", indicator=True)["_merge"] == "both").to_numpy()
    for name, bought in (("repeat", truth[repeated]), ("new", truth[~repeated])):
        figures[f"{name}_recall_at_10"] = ranking_metrics(best, bought, (10,))["recall_at_10"]
    on_lists = best["product_id"].nunique()
    on_sale = pd.concat([best["product_id"], truth["product_id"]]).nunique()
    figures["coverage"] = on_lists / on_sale if on_sale else 0.0
    figures["personalisation"] = personalisation(best)
    return figures


def personalisation(best: pd.DataFrame) -> float:
    """Return 1 minus the mean share of products that two lists have in common; 0.0 below two lists."""
    n_customers = best["customer_id"].nunique()
    if n_customers < 2:
        return 0.0
    appearances = best.groupby("product_id").size().to_numpy(float)
    shared_pairs = (appearances * (appearances - 1) / 2).sum()
    mean_length = len(best) / n_customers
    return float(1 - shared_pairs / (n_customers * (n_customers - 1) / 2) / mean_length)


def change_of_lists(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """Return the mean share of a customer's list that was not on the list of the period before."""
    old, new = (ranked[ranked["rank"] <= LIST_LENGTH] for ranked in (before, now))
    lengths = new.groupby("customer_id").size()
    common = lengths.index.intersection(old["customer_id"].unique())
    kept = new.merge(old[PAIR], on=PAIR).groupby("customer_id").size().reindex(common, fill_value=0)
    return float((1 - kept / lengths[common]).mean()) if len(common) else 0.0


def probability_figures(
    predictions: pd.DataFrame, truth: pd.DataFrame, n_customers: int, n_products: int
) -> dict[str, float]:
    """Return the quality of probabilities over the candidates and over all pairs of customer and product.

    Args:
        predictions: customer_id, product_id, probability.
        truth: distinct pairs bought in the period.
        n_customers: customers of the business.
        n_products: products with any earlier sale; pairs outside the candidates have probability 0.

    Returns:
        `roc_auc`, `average_precision` (nan if no pair or every pair was bought), the same over all pairs
        with the prefix `grid_`, `calibration_error`, `expected_pairs` among candidates.
    """
    bought = predictions.merge(truth.assign(bought=1.0), on=PAIR, how="left")["bought"].fillna(0.0).to_numpy()
    score = predictions["probability"].to_numpy(float)
    n_missed = len(truth) - int(bought.sum())
    n_empty = max(0, n_customers * n_products - len(score) - n_missed)
    grid_bought = np.concatenate([bought, np.ones(n_missed), np.zeros(1)])
    grid_score = np.concatenate([score, np.zeros(n_missed + 1)])
    weight = np.concatenate([np.ones(len(score) + n_missed), [float(n_empty)]])
    return {
        **_discrimination("", bought, score, np.ones(len(score))),
        **_discrimination("grid_", grid_bought, grid_score, weight),
        "calibration_error": calibration_error(bought, score),
        "expected_pairs": float(score.sum()),
    }


def _discrimination(
    prefix: str,
    y_true: npt.NDArray[np.float64],
    y_score: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
) -> dict[str, float]:
    if y_true.min(initial=1.0) == y_true.max(initial=0.0):
        return {f"{prefix}roc_auc": float("nan"), f"{prefix}average_precision": float("nan")}
    return {
        f"{prefix}roc_auc": float(roc_auc_score(y_true, y_score, sample_weight=weight)),
        f"{prefix}average_precision": float(average_precision_score(y_true, y_score, sample_weight=weight)),
    }


def set_figures(selected: pd.DataFrame, truth: pd.DataFrame, dropped: pd.DataFrame) -> dict[str, float]:
    """Return the figures of a predicted set, compared with net purchases and with every pair of the drop.

    Args:
        selected: distinct pairs predicted.
        truth: distinct pairs with a net purchase in the period.
        dropped: distinct pairs with any line in the period, cancelled lines included, as in the
            published figures of this task.
    """
    return {**set_metrics(selected, truth), "set_f1_as_dropped": set_metrics(selected, dropped)["set_f1"]}


def paired_bootstrap(
    by_period: list[Mapping[str, pd.DataFrame]],
    ours: str,
    theirs: str,
    metric: str,
    seed: int = 0,
    draws: int = 2_000,
) -> tuple[float, float, float]:
    """Return the mean difference of a per-customer metric with its 95 % interval by resampling customers.

    A customer is drawn with all its periods, because its periods are not independent. The mean is over
    periods, of the mean over customers who bought in the period.

    Args:
        by_period: for each period, by model, the frame of `sodai.evaluation.metrics.customer_metrics`.
        ours, theirs: models to compare.
        metric: column of those frames.
        seed, draws: settings of the resampling.

    Returns:
        Difference, lower and upper bound.
    """
    gaps = pd.DataFrame(
        {number: models[ours][metric] - models[theirs][metric] for number, models in enumerate(by_period)}
    ).to_numpy()
    present, gaps = ~np.isnan(gaps), np.nan_to_num(gaps)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(len(gaps), size=len(gaps)), minlength=len(gaps))
        means[draw] = ((times @ gaps) / np.maximum(times @ present, 1)).mean()
    centre = (gaps.sum(axis=0) / np.maximum(present.sum(axis=0), 1)).mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(centre), float(low), float(high)


def per_customer(ranked: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the per-customer metrics that `paired_bootstrap` resamples."""
    return customer_metrics(ranked[ranked["rank"] <= LIST_LENGTH], truth, KS)
