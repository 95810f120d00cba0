"""From the scores of a period's candidates to what is published about it."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from sodai.selection import expected_f1, expected_f1_set

_PAIR = ["customer_id", "product_id"]
# The API shows probabilities; more digits than this are noise and make the file a third larger.
_DIGITS = 4


def predict(scores: pd.DataFrame, week: date, model_version: str, missing_pairs: float) -> pd.DataFrame:
    """The columns of PREDICTIONS, in the order of `scores`.

    Args:
        scores: customer_id, product_id, probability, rank, one row a candidate, in key order.
        week: first day of the period.
        model_version: version in the registry.
        missing_pairs: expected number of purchased pairs that are no candidates.
    """
    selected = expected_f1_set(scores["probability"].to_numpy(), missing_pairs)
    return scores.assign(week=week, selected=selected, model_version=model_version)


def recommend(predictions: pd.DataFrame, k: int) -> pd.DataFrame:
    """The `k` best products of every customer, ordered by customer and rank."""
    best = predictions[predictions["rank"] <= k]
    return best.sort_values(["customer_id", "rank"], ignore_index=True)


def summarize(
    predictions: pd.DataFrame,
    customers: Iterable[int],
    with_history: set[int],
    missing_pairs: float,
    k: int,
) -> dict[str, Any]:
    """The figures of PREDICTION_SUMMARY.

    Args:
        predictions: the columns of PREDICTIONS, all candidates of the period.
        customers: every customer that is to get a list.
        with_history: the customers with a purchase before the period.
        missing_pairs: as in `predict`.
        k: products that every list should hold.

    Returns:
        Counts of candidates, selected pairs and customers; `expected_pairs` and `expected_f1` of the
        period, purchases outside the candidates included; `short_lists`, the customers with fewer
        than `k` products (text id -> products), for each of which there is nothing more to offer.
    """
    probability, selected = predictions["probability"].to_numpy(), predictions["selected"].to_numpy()
    best = recommend(predictions, k)
    lengths = best.groupby("customer_id").size().reindex(sorted(customers), fill_value=0)
    without_history = ~lengths.index.isin(list(with_history))
    short = lengths[lengths < k]
    return {
        "k": k,
        "n_candidates": len(predictions),
        "n_selected": int(selected.sum()),
        "n_recommended": len(best),
        "n_products_recommended": int(best["product_id"].nunique()),
        "n_customers": len(lengths),
        "n_customers_with_full_list": int((lengths >= k).sum()),
        "n_customers_without_history": int(without_history.sum()),
        "n_customers_without_history_listed": int((lengths[without_history] > 0).sum()),
        "expected_pairs": round(float(probability.sum()) + missing_pairs, 3),
        "expected_missing_pairs": round(missing_pairs, 3),
        "expected_f1": round(expected_f1(probability, selected, missing_pairs), 6),
        "short_lists": {str(customer): int(length) for customer, length in short.items()},
    }


def recommendation_index(
    best: pd.DataFrame, customers: Iterable[int], reasons: pd.DataFrame, header: Mapping[str, Any]
) -> str:
    """The text of RECOMMENDATIONS: one JSON object with one line a customer.

    Args:
        best: customer_id, product_id, probability, rank, selected, ordered by customer and rank.
        customers: every customer that is to be found in the index, with an empty list if need be.
        reasons: customer_id, product_id, position, direction, phrase; may be empty.
        header: what stands before `customers`.
    """
    why: dict[tuple[int, int], list[dict[str, str]]] = {}
    for reason in reasons.sort_values([*_PAIR, "position"]).to_dict("records"):
        told = {"direction": reason["direction"], "text": reason["phrase"]}
        why.setdefault((reason["customer_id"], reason["product_id"]), []).append(told)
    lists: dict[int, list[dict[str, Any]]] = {int(customer): [] for customer in sorted(customers)}
    for row in best.to_dict("records"):
        pair = row["customer_id"], row["product_id"]
        lists.setdefault(pair[0], []).append(
            {
                "product_id": pair[1],
                "probability": round(row["probability"], _DIGITS),
                "rank": row["rank"],
                "selected": row["selected"],
                "reasons": why.get(pair, []),
            }
        )
    opening = json.dumps(dict(header), ensure_ascii=False, allow_nan=False)[:-1]
    lines = [
        f'"{customer}": {json.dumps(products, ensure_ascii=False)}' for customer, products in lists.items()
    ]
    return f'{opening}, "customers": {{\n' + ",\n".join(lines) + "\n}}\n"
