"""Baselines: rules without a model, as a call centre could apply them, that a model has to beat."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from sodai.data.catalog import PAIR
from sodai.data.customer_groups import rank_within_customer
from sodai.data.periods import DAYS_PER_WEEK

DECAY = 0.9
RECENT_WEEKS = 8
# An older purchase weighs less than .005 of last week's, and the whole warehouse would have to be read.
LOOKBACK_WEEKS = 52


@dataclass(frozen=True)
class Baseline:
    """The predictions of a rule for a period.

    Attributes:
        ranked: customer_id, product_id, rank (1 = best): one list per customer.
        selected: customer_id, product_id: the purchase set.
    """

    ranked: pd.DataFrame
    selected: pd.DataFrame


def baseline_start(as_of: date) -> date:
    """Return the first day whose purchases the rules use for the period that starts on `as_of`."""
    return as_of - timedelta(weeks=LOOKBACK_WEEKS)


def baselines(purchases: pd.DataFrame, as_of: date) -> dict[str, Baseline]:
    """Return the predictions of every rule for the period that starts on `as_of`.

    Args:
        purchases: customer_id, product_id, purchase_date, all before `as_of`; those before
            `baseline_start` are ignored.
        as_of: first day of the period.

    Returns:
        by name: `bought_last_week`, `bought_3_of_8_weeks` and `decayed_frequency`, whose purchase set has as
        many pairs as were bought in the last seven days.
    """
    weeks = _weeks(purchases, as_of)
    recent = weeks[weeks["age"] < RECENT_WEEKS].groupby(PAIR, as_index=False).size()
    last = weeks.loc[weeks["age"] == 0, PAIR].assign(score=1.0)
    decayed = weeks.assign(score=DECAY ** weeks["age"]).groupby(PAIR)[["score"]].sum().reset_index()
    largest = decayed.sort_values(["score", *PAIR], ascending=[False, True, True]).head(len(last))
    return {
        "bought_last_week": Baseline(_ranked(last), last[PAIR]),
        "bought_3_of_8_weeks": Baseline(
            _ranked(recent.rename(columns={"size": "score"})), recent.loc[recent["size"] >= 3, PAIR]
        ),
        "decayed_frequency": Baseline(_ranked(decayed), largest[PAIR]),
    }


def _weeks(purchases: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return distinct customer_id, product_id, age in whole weeks before `as_of`, 0 = the last seven days."""
    days = (pd.Timestamp(as_of) - pd.to_datetime(purchases["purchase_date"])).dt.days
    weeks = purchases[PAIR].assign(age=(days - 1) // DAYS_PER_WEEK).drop_duplicates()
    return weeks[weeks["age"] < LOOKBACK_WEEKS]


def _ranked(scores: pd.DataFrame) -> pd.DataFrame:
    rank = rank_within_customer(scores["customer_id"], scores["product_id"], scores["score"])
    return scores[PAIR].assign(rank=rank)
