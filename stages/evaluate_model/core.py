"""Figures of one model or rule on a closed period."""

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


def score_frame(pairs: pd.DataFrame, probability: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Pairs with their probability and rank, the form in which a model is held against the truth.

    Args:
        pairs: customer_id, product_id, target.
        probability: (n,) of at least one purchase.
    """
    scored = pairs.assign(probability=probability)
    rank = rank_within_customer(scored["customer_id"], scored["product_id"], scored["probability"])
    return scored.assign(rank=rank)


def model_figures(
    scored: pd.DataFrame, truth: pd.DataFrame, missing_pairs: float, ks: tuple[int, ...]
) -> dict[str, float]:
    """Every figure of a model on a closed period.

    Args:
        scored: customer_id, product_id, target, probability, rank; one row a candidate.
        truth: the distinct pairs bought in the period, candidates or not.
        missing_pairs: purchased pairs that are expected outside the candidates.
        ks: list lengths.

    Returns:
        roc_auc and average_precision over the candidates (left out where they hold one class),
        calibration_error, the ranking metrics at each k over all buying customers, those of the
        predicted set over all pairs, its expected F1, and expected against realised pairs.
    """
    y, p = scored["target"].to_numpy(), scored["probability"].to_numpy()
    selected = expected_f1_set(p, missing_pairs)
    figures = {
        **discrimination(y, p),
        "calibration_error": calibration_error(y.astype(float), p),
        **ranking_metrics(scored, truth, ks),
        **set_metrics(scored.loc[selected, PAIR], truth),
        "expected_set_f1": expected_f1(p, selected, missing_pairs),
        "expected_pairs": float(p.sum() + missing_pairs),
    }
    return rounded(figures)


def discrimination(y: npt.NDArray[Any], p: npt.NDArray[np.float64]) -> dict[str, float]:
    """roc_auc and average_precision; neither exists where all or no candidates were bought."""
    if len(np.unique(y)) < 2:
        return {}
    return {"roc_auc": float(roc_auc_score(y, p)), "average_precision": float(average_precision_score(y, p))}


def baseline_figures(
    ranked: pd.DataFrame, selected: pd.DataFrame, truth: pd.DataFrame, ks: tuple[int, ...]
) -> dict[str, float]:
    """Every figure of a rule on a closed period: its lists over buying customers, its set over all pairs."""
    return rounded({**ranking_metrics(ranked, truth, ks), **set_metrics(selected, truth)})


def by_customer(scored: pd.DataFrame, truth: pd.DataFrame, k: int) -> pd.Series:
    """NDCG@k of every customer who bought, indexed by customer_id."""
    return customer_metrics(scored, truth, (k,))[f"ndcg_at_{k}"]


def calibration_rows(scored: pd.DataFrame) -> list[dict[str, float]]:
    """The calibration table as records."""
    table = calibration_table(scored["target"].to_numpy(float), scored["probability"].to_numpy())
    return [rounded({str(name): value for name, value in row.items()}) for row in table.to_dict("records")]
