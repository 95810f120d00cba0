"""The metrics of a model or a baseline on a closed period."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from sodai.data.catalog import PAIR
from sodai.data.customer_groups import rank_within_customer
from sodai.evaluation.metrics import (
    calibration_error,
    calibration_table,
    customer_metrics,
    ranking_metrics,
    rounded,
    set_metrics,
)
from sodai.evaluation.purchase_set import expected_f1, expected_f1_set

Floats = npt.NDArray[np.float64]


def rank_candidates(pairs: pd.DataFrame, probability: Floats) -> pd.DataFrame:
    """Return the candidates with their probability and their rank in the customer's list.

    Args:
        pairs: customer_id, product_id, target.
        probability: (n,) probability, or any score of the same order.
    """
    rank = rank_within_customer(pairs["customer_id"], pairs["product_id"], probability)
    return pairs.assign(probability=probability, rank=rank)


def model_metrics(
    ranked: pd.DataFrame, truth: pd.DataFrame, missing_pairs: float, ks: tuple[int, ...]
) -> dict[str, float]:
    """Return every metric of a model on a closed period.

    Args:
        ranked: customer_id, product_id, target, probability, rank of each candidate.
        truth: the distinct pairs bought in the period, candidates or not.
        missing_pairs: expected number of bought pairs that are no candidates.
        ks: list lengths.

    Returns:
        `discrimination_metrics` and calibration_error over the candidates, `ranking_metrics` at each k over
        the customers who bought, `set_metrics` over all pairs, expected_set_f1 and expected_pairs.
    """
    y, p = ranked["target"].to_numpy(), ranked["probability"].to_numpy()
    selected = expected_f1_set(p, missing_pairs)
    return rounded(
        {
            **discrimination_metrics(y, p),
            "calibration_error": calibration_error(y.astype(float), p),
            **ranking_metrics(ranked, truth, ks),
            **set_metrics(ranked.loc[selected, PAIR], truth),
            "expected_set_f1": expected_f1(p, selected, missing_pairs),
            "expected_pairs": float(p.sum() + missing_pairs),
        }
    )


def discrimination_metrics(y: npt.NDArray[Any], p: Floats) -> dict[str, float]:
    """Return roc_auc and average_precision; nothing if all candidates were bought, or none."""
    if len(np.unique(y)) < 2:
        return {}
    return {"roc_auc": float(roc_auc_score(y, p)), "average_precision": float(average_precision_score(y, p))}


def baseline_metrics(
    ranked: pd.DataFrame, selected: pd.DataFrame, truth: pd.DataFrame, ks: tuple[int, ...]
) -> dict[str, float]:
    """Return the `ranking_metrics` of a baseline's lists and the `set_metrics` of its purchase set."""
    return rounded({**ranking_metrics(ranked, truth, ks), **set_metrics(selected, truth)})


def ndcg_by_customer(ranked: pd.DataFrame, truth: pd.DataFrame, k: int) -> pd.Series:
    """Return NDCG@k of every customer who bought, indexed by customer_id."""
    return customer_metrics(ranked, truth, (k,))[f"ndcg_at_{k}"]


def calibration_bins(ranked: pd.DataFrame) -> list[dict[str, float]]:
    """Return the bins of the calibration table: n_rows, mean_probability, realised_share."""
    table = calibration_table(ranked["target"].to_numpy(float), ranked["probability"].to_numpy())
    return [rounded({str(name): value for name, value in row.items()}) for row in table.to_dict("records")]
