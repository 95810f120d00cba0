"""Importance of features and groups, and additivity, worked out by hand."""

import numpy as np
import pytest

from analyze_interpretability.core_importance import check_additivity, feature_importance, group_importance
from sodai.data.feature_catalog import Feature
from sodai.errors import ModelError

FEATURES = [
    Feature("pair_recency", "days", "time since the last purchase", "never bought"),
    Feature("customer_n_orders", "orders", "orders of the customer"),
    Feature("product_momentum", "", "buyers last week over the mean of eight weeks"),
    Feature("customer_kind", "", "kind of shop", categorical=True),
]
CONTRIBUTIONS = np.array([[0.5, 0.1, -0.2, 0.0], [-0.5, 0.1, 0.3, 0.4]])
WITH_BASE = np.column_stack([CONTRIBUTIONS, [-1.0, -1.0]])


def test_importance_is_the_mean_absolute_contribution_and_its_shares_add_up_to_one() -> None:
    table = feature_importance(CONTRIBUTIONS, FEATURES)
    assert table["feature"].tolist() == [
        "pair_recency",
        "product_momentum",
        "customer_kind",
        "customer_n_orders",
    ]
    assert table["mean_abs_contribution"].tolist() == pytest.approx([0.5, 0.25, 0.2, 0.1])
    assert table["share"].sum() == pytest.approx(1.0)


def test_features_of_a_group_that_cancel_each_other_count_once() -> None:
    groups = group_importance(np.array([[0.0, 0.4, 0.1, -0.4]]), FEATURES)
    assert groups.to_dict() == pytest.approx({"product": 0.1, "customer": 0.0, "pair": 0.0})


def test_contributions_that_add_up_to_the_score_have_no_gap() -> None:
    assert check_additivity(WITH_BASE, WITH_BASE.sum(axis=1)) == 0.0


def test_contributions_of_another_model_are_refused() -> None:
    with pytest.raises(ModelError, match=r"miss the model's raw score by up to 0\.01 log-odds"):
        check_additivity(WITH_BASE, WITH_BASE.sum(axis=1) + np.array([0.0, 0.01]))
