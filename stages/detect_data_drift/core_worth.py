"""What was published last was worth beside the rules without a model, customer by customer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from detect_data_drift.core_rules import Lead
from sodai.data.catalog import LIST_LENGTH, PAIR
from sodai.evaluation.baselines import Baseline
from sodai.evaluation.bootstrap import SMALLEST_GROUP, paired_interval
from sodai.evaluation.metrics import customer_metrics

_PUBLISHED = "published"


@dataclass(frozen=True)
class Worth:
    """What was published, and what the rules would have published, held against one period's purchases.

    `by_customer` maps `set_f1` and `ndcg` to one row a customer and one column an answer, `published` and
    the names of the rules: the mean of a column is the figure of all customers.
    """

    by_customer: Mapping[str, pd.DataFrame]
    n_buyers: int

    @classmethod
    def of(cls, published: Baseline, rules: Mapping[str, Baseline], truth: pd.DataFrame) -> "Worth":
        """The worth of each answer.

        Args:
            published: lists and set of the period.
            rules: the same of each rule.
            truth: customer_id, product_id, the distinct pairs bought in it, at least one.
        """
        answers = {_PUBLISHED: published, **rules}
        told = [truth, *(answer.selected for answer in answers.values())]
        customers = pd.Index(pd.concat([pairs["customer_id"] for pairs in told]).unique())
        sets = {name: _of_set(answer.selected, truth, customers) for name, answer in answers.items()}
        lists = {
            name: customer_metrics(answer.ranked, truth, (LIST_LENGTH,))[f"ndcg_at_{LIST_LENGTH}"]
            for name, answer in answers.items()
        }
        by_customer = {"set_f1": pd.DataFrame(sets), "ndcg": pd.DataFrame(lists)}
        return cls(by_customer, truth["customer_id"].nunique())

    @property
    def figures(self) -> dict[str, float]:
        """Each metric of what was published."""
        return {metric: float(worth[_PUBLISHED].mean()) for metric, worth in self.by_customer.items()}

    def of_rules(self, metric: str) -> dict[str, float]:
        """One metric of every rule."""
        means = self.by_customer[metric].drop(columns=_PUBLISHED).mean()
        return {str(name): float(value) for name, value in means.items()}

    def lead(self, metric: str, rng: np.random.Generator) -> Lead:
        """How much more of a metric was published than the best rule had.

        Args:
            metric: `set_f1` or `ndcg`.
            rng: of the resampling of customers.
        """
        worth, rules = self.by_customer[metric], self.of_rules(metric)
        difference = worth[_PUBLISHED] - worth[max(rules, key=lambda name: rules[name])]
        if self.n_buyers < SMALLEST_GROUP:
            return Lead(float(difference.mean()), None)
        interval = paired_interval(difference, rng)
        return Lead(interval["mean"], interval["high"] - interval["mean"])


def _of_set(selected: pd.DataFrame, truth: pd.DataFrame, customers: pd.Index) -> pd.Series:
    """What each customer counts for in the F1 of a set: the mean is that F1.

    F1 is a ratio of sums, which no mean over customers gives; over a resample of them the mean of these is
    it to the first order (the delta method).
    """

    def by_customer(pairs: pd.DataFrame) -> pd.Series:
        return pairs.groupby("customer_id").size().reindex(customers, fill_value=0)

    n_hits = by_customer(selected[PAIR].merge(truth[PAIR], on=PAIR))
    size = by_customer(selected) + by_customer(truth)
    f1 = 2 * n_hits.sum() / size.sum()
    return f1 + (2 * n_hits - f1 * size) / size.mean()
