"""The rules and peers that the pipeline is compared with, tuned only on periods before the test."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import rules
from benchmarks.histories import History
from benchmarks.peers import GRIDS, PEERS
from benchmarks.scoring import purchases_in
from sodai.data.catalog import LIST_LENGTH
from sodai.data.periods import Period
from sodai.evaluation.metrics import ranking_metrics, set_metrics

TUNING_PERIODS = 4
SET_RULE_WEEKS = 8

RANKINGS: dict[str, Callable[[History, int], pd.DataFrame]] = {
    "global_frequency": rules.global_frequency,
    "personal_frequency": rules.personal_frequency,
    "decayed_frequency": rules.decayed_frequency,
    "decayed_frequency_with_momentum": rules.decayed_frequency_with_momentum,
}


@dataclass(frozen=True)
class Tuned:
    """Tuned settings: parameters of each peer, and the weeks of eight that the set rule asks for."""

    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    weeks_of_eight: int = 3

    def as_json(self) -> str:
        """Return the settings as one line for a log."""
        return json.dumps({"weeks_of_eight": self.weeks_of_eight, **self.peers})


def tune(transactions: pd.DataFrame, first: Period) -> Tuned:
    """Return the settings with the best mean recall at 10 (set rule: set F1) on the four periods before."""
    past = [(History.of(transactions, p.as_of), truth_of(transactions, p)) for p in _tuning_periods(first)]

    def recall(name: str, setting: dict[str, Any]) -> float:
        lists = ((PEERS[name](history, LIST_LENGTH, **setting), truth) for history, truth in past)
        return float(
            np.mean([ranking_metrics(ranked, truth, (10,))["recall_at_10"] for ranked, truth in lists])
        )

    def set_f1(weeks: int) -> float:
        sets = ((rules.bought_in_weeks(h, weeks, SET_RULE_WEEKS), truth) for h, truth in past)
        return float(np.mean([set_metrics(chosen, truth)["set_f1"] for chosen, truth in sets]))

    best = {name: max(grid, key=lambda setting: recall(name, setting)) for name, grid in GRIDS.items()}
    return Tuned(best, max(range(1, SET_RULE_WEEKS + 1), key=set_f1))


def rankings(history: History, tuned: Tuned) -> dict[str, pd.DataFrame]:
    """Return the lists of ten of every contender: customer_id, product_id, rank."""
    lists = {name: make(history, LIST_LENGTH) for name, make in RANKINGS.items()}
    return lists | {
        name: PEERS[name](history, LIST_LENGTH, **setting) for name, setting in tuned.peers.items()
    }


def sets(history: History, tuned: Tuned) -> dict[str, pd.DataFrame]:
    """Return the predicted set of every set rule: customer_id, product_id."""
    return {
        "bought_last_week": rules.bought_last_week(history),
        "bought_3_of_8_weeks": rules.bought_in_weeks(history, 3, SET_RULE_WEEKS),
        "bought_n_of_8_weeks_tuned": rules.bought_in_weeks(history, tuned.weeks_of_eight, SET_RULE_WEEKS),
    }


def truth_of(transactions: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Return the distinct pairs bought in a period."""
    return purchases_in(transactions, pd.Timestamp(period.as_of), pd.Timestamp(period.end))


def _tuning_periods(first: Period) -> list[Period]:
    return [first.back(steps) for steps in range(1, TUNING_PERIODS + 1)]
