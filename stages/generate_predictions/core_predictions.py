"""The calibrated predictions of a period, and their summary."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sodai.data.catalog import PREDICTIONS
from sodai.evaluation.purchase_set import Blocks, expected_f1_threshold, probabilities, shift_to_demand
from sodai.runtime.concurrency import prefetch_map
from sodai.runtime.limits import available_cpus

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PeriodCalibration:
    """Shift of all log-odds, and probability above which a pair is in the predicted purchase set.

    Both depend on all candidates of a period. `missing_pairs` are purchased pairs expected outside of them.
    """

    shift: float
    threshold: float
    missing_pairs: float

    @classmethod
    def fit(cls, log_odds: Blocks, candidate_pairs: float, missing_pairs: float) -> "PeriodCalibration":
        """Calibrate the log-odds of a period to its expected demand.

        Args:
            log_odds: of all candidates of the period.
            candidate_pairs, missing_pairs: purchased pairs expected among the candidates, and outside of
                them.
        """
        shift = shift_to_demand(log_odds, candidate_pairs)
        calibrate = partial(probabilities, shift=shift)
        threshold = expected_f1_threshold(
            lambda: prefetch_map(calibrate, log_odds(), available_cpus()), missing_pairs
        )
        return cls(shift, threshold, missing_pairs)

    def predict(self, scores: pa.Table, week: date, model_version: str) -> pa.Table:
        """Return the columns of PREDICTIONS, in the order of `scores`.

        Args:
            scores: the columns of SCORES.
            week: first day of the period.
            model_version: version in the registry.
        """
        probability = probabilities(scores["log_odds"].to_numpy(), self.shift)
        columns = {
            "week": pa.repeat(pa.scalar(week, pa.date32()), len(probability)),
            "customer_id": scores["customer_id"],
            "product_id": scores["product_id"],
            "probability": probability,
            "rank": scores["rank"],
            "selected": probability > self.threshold,
            "model_version": pa.repeat(pa.scalar(model_version), len(probability)),
        }
        return pa.table(columns, PREDICTIONS.contract.schema)


class PredictionSummary:
    """Counts over the predictions of a period, which come some customers at a time.

    Args:
        customers: customer_id of every customer that gets a list, in order.
        with_history: customer_id of the customers with a purchase before the period.
        k: products that a full list holds.
    """

    def __init__(self, customers: Integers, with_history: Integers, k: int) -> None:
        self._customers, self._with_history, self._k = customers, with_history, k
        self._lengths = np.zeros(len(customers), dtype=np.int64)
        self._products: set[int] = set()
        self._n_candidates = self._n_selected = self._n_recommended = 0
        self._expected = self._expected_selected = 0.0

    def add(self, predictions: pa.Table, best: pa.Table) -> None:
        """Count the predictions of some customers, each customer whole.

        Args:
            predictions: the columns of PREDICTIONS.
            best: the recommended rows of them.
        """
        probability, selected = predictions["probability"].to_numpy(), predictions["selected"].to_numpy()
        self._n_candidates += len(probability)
        self._n_selected += int(selected.sum())
        self._n_recommended += best.num_rows
        self._expected += float(probability.sum())
        self._expected_selected += float(probability[selected].sum())
        self._products.update(best["product_id"].unique().to_pylist())
        listed, lengths = np.unique(best["customer_id"].to_numpy(), return_counts=True)
        known = np.isin(listed, self._customers, assume_unique=True)
        self._lengths[np.searchsorted(self._customers, listed[known])] = lengths[known]

    def to_record(self, missing_pairs: float) -> dict[str, Any]:
        """Return the figures of PREDICTION_SUMMARY.

        Args:
            missing_pairs: purchased pairs expected outside the candidates.

        Returns:
            Counts of candidates, selected pairs and customers; `expected_pairs` and `expected_f1` of
            the period, purchases outside the candidates included; `short_lists`, the customers with
            fewer than `k` candidates (customer_id as text -> candidates).
        """
        lengths = self._lengths
        new = ~np.isin(self._customers, self._with_history, assume_unique=True)
        short = lengths < self._k
        size = self._n_selected + self._expected + missing_pairs
        return {
            "k": self._k,
            "n_candidates": self._n_candidates,
            "n_selected": self._n_selected,
            "n_recommended": self._n_recommended,
            "n_products_recommended": len(self._products),
            "n_customers": len(lengths),
            "n_customers_with_full_list": int((~short).sum()),
            "n_customers_without_history": int(new.sum()),
            "n_customers_without_history_listed": int((lengths[new] > 0).sum()),
            "expected_pairs": round(self._expected + missing_pairs, 3),
            "expected_missing_pairs": round(missing_pairs, 3),
            "expected_f1": round(2 * self._expected_selected / size if size else 0.0, 6),
            "short_lists": dict(
                zip(map(str, self._customers[short].tolist()), lengths[short].tolist(), strict=True)
            ),
        }
