"""The reasons behind a recommendation, worked out by hand."""

import numpy as np
import pandas as pd

from analyze_interpretability.core_reasons import strongest_reasons
from sodai.data.feature_catalog import Feature

FEATURES = [
    Feature("pair_recency", "days", "time since the last purchase", "never bought"),
    Feature("customer_n_orders", "orders", "orders of the customer"),
    Feature("product_momentum", "", "buyers last week over the mean of eight weeks"),
    Feature("customer_kind", "", "kind of shop", categorical=True),
]
PAIRS = pd.DataFrame({"customer_id": [1, 2], "product_id": [10, 20]})
X = pd.DataFrame(
    {
        "pair_recency": np.array([6, np.nan], dtype="float32"),
        "customer_n_orders": np.array([41, 3], dtype="float32"),
        "product_momentum": np.array([1.25, 0.5], dtype="float32"),
        "customer_kind": pd.Categorical(["KIOSCO", "MINIMARKET"]),
    }
)
REASONS = strongest_reasons(PAIRS, X, np.array([[0.5, 0.1, -0.2, 0.0], [-0.5, 0.1, 0.3, 0.4]]), FEATURES)


def test_reasons_are_the_three_largest_contributions_of_either_sign() -> None:
    first = REASONS[REASONS["customer_id"] == 1]
    assert first["feature"].tolist() == ["pair_recency", "product_momentum", "customer_n_orders"]
    assert first["direction"].tolist() == ["raises", "lowers", "raises"]
    assert first["position"].tolist() == [1, 2, 3]


def test_phrases_use_the_words_of_the_catalogue() -> None:
    assert REASONS["phrase"].tolist() == [
        "time since the last purchase: 6 days",
        "buyers last week over the mean of eight weeks: 1.25",
        "orders of the customer: 41",
        "time since the last purchase: never bought",
        "kind of shop: MINIMARKET",
        "buyers last week over the mean of eight weeks: 0.5",
    ]


def test_a_null_feature_is_a_reason_without_a_value() -> None:
    assert REASONS["value"].isna().tolist() == [False, False, False, True, False, False]


def test_an_empty_category_has_a_phrase_and_no_value() -> None:
    shop = Feature("customer_kind", "", "kind of shop", "the business does not say", categorical=True)
    kinds = pd.DataFrame({"customer_kind": pd.Series(["", "KIOSCO"], dtype=object)})
    reasons = strongest_reasons(PAIRS, kinds, np.array([[0.5], [0.5]]), [shop])
    assert reasons["phrase"].tolist() == ["kind of shop: the business does not say", "kind of shop: KIOSCO"]
    assert reasons["value"].isna().tolist() == [True, False]
