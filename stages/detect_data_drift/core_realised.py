"""Metrics of published predictions and of the baselines, customer by customer, once the period is closed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from detect_data_drift.core_rules import Margin
from sodai.data.catalog import LIST_LENGTH, PAIR
from sodai.evaluation.baselines import Baseline
from sodai.evaluation.bootstrap import SMALLEST_GROUP, paired_interval
from sodai.evaluation.metrics import customer_metrics

_PUBLISHED = "published"


@dataclass(frozen=True)
class RealisedMetrics:
    """F1 of the set and NDCG of the lists on one closed period, of published predictions and of baselines.

    Attributes:
        by_customer: `set_f1` and `ndcg` -> one row per customer, one column for `published` and each
            baseline; the mean of a column is the metric over all customers.
        n_buyers: customers who bought in the period.
    """

    by_customer: Mapping[str, pd.DataFrame]
    n_buyers: int

    @classmethod
    def compute(
        cls, published: Baseline, baselines: Mapping[str, Baseline], truth: pd.DataFrame
    ) -> "RealisedMetrics":
        """Compare predictions with what was bought.

        Args:
            published: published lists and set of the period.
            baselines: name -> its lists and set.
            truth: customer_id, product_id: the distinct pairs bought in the period, at least one.
        """
        contenders = {_PUBLISHED: published, **baselines}
        pairs = [truth, *(contender.selected for contender in contenders.values())]
        customers = pd.Index(pd.concat([each["customer_id"] for each in pairs]).unique())
        sets = {name: _f1_terms(each.selected, truth, customers) for name, each in contenders.items()}
        lists = {
            name: customer_metrics(each.ranked, truth, (LIST_LENGTH,))[f"ndcg_at_{LIST_LENGTH}"]
            for name, each in contenders.items()
        }
        by_customer = {"set_f1": pd.DataFrame(sets), "ndcg": pd.DataFrame(lists)}
        return cls(by_customer, truth["customer_id"].nunique())

    @property
    def published(self) -> dict[str, float]:
        """Return each metric of the published predictions."""
        return {metric: float(values[_PUBLISHED].mean()) for metric, values in self.by_customer.items()}

    def of_baselines(self, metric: str) -> dict[str, float]:
        """Return one metric of every baseline."""
        means = self.by_customer[metric].drop(columns=_PUBLISHED).mean()
        return {str(name): float(value) for name, value in means.items()}

    def margin(self, metric: str, rng: np.random.Generator) -> Margin:
        """Return the margin of the published predictions over the best baseline.

        Args:
            metric: `set_f1` or `ndcg`.
            rng: for the resampling of customers.
        """
        values, baselines = self.by_customer[metric], self.of_baselines(metric)
        difference = values[_PUBLISHED] - values[max(baselines, key=lambda name: baselines[name])]
        if self.n_buyers < SMALLEST_GROUP:
            return Margin(float(difference.mean()), None)
        interval = paired_interval(difference, rng)
        return Margin(interval["mean"], interval["high"] - interval["mean"])


def _f1_terms(selected: pd.DataFrame, truth: pd.DataFrame, customers: pd.Index) -> pd.Series:
    """Return a value per customer whose mean is the F1 of the set."""

    def count_by_customer(pairs: pd.DataFrame) -> pd.Series:
        return pairs.groupby("customer_id").size().reindex(customers, fill_value=0)

    n_hits = count_by_customer(selected[PAIR].merge(truth[PAIR], on=PAIR))
    size = count_by_customer(selected) + count_by_customer(truth)
    f1 = 2 * n_hits.sum() / size.sum()
    # F1 is a ratio of sums, not a mean over customers. The delta method linearises it, so that the mean of
    # these terms over a resample of customers equals its F1 to the first order.
    return f1 + (2 * n_hits - f1 * size) / size.mean()
