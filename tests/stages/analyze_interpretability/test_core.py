"""Samples, importance and reasons, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from analyze_interpretability import core
from sodai.data.feature_catalog import Feature
from sodai.errors import ModelError

FEATURES = [
    Feature("recency", "pair", "days", "time since the last purchase", "never bought"),
    Feature("n_orders", "customer", "orders", "orders of the customer"),
    Feature("momentum", "product", "", "buyers last week over the mean of eight weeks"),
    Feature("kind", "customer", "", "kind of shop", categorical=True),
]
PAIRS = pd.DataFrame({"customer_id": [1, 2], "product_id": [10, 20]})
X = pd.DataFrame(
    {
        "recency": np.array([6, np.nan], dtype="float32"),
        "n_orders": np.array([41, 3], dtype="float32"),
        "momentum": np.array([1.25, 0.5], dtype="float32"),
        "kind": pd.Categorical(["KIOSCO", "MINIMARKET"]),
    }
)
CONTRIBUTIONS = np.array([[0.5, 0.1, -0.2, 0.0], [-0.5, 0.1, 0.3, 0.4]])


def test_reasons_are_the_three_largest_contributions_either_way() -> None:
    reasons = core.reasons(PAIRS, X, CONTRIBUTIONS, FEATURES)
    first = reasons[reasons["customer_id"] == 1]
    assert first["feature"].tolist() == ["recency", "momentum", "n_orders"]
    assert first["direction"].tolist() == ["raises", "lowers", "raises"]
    assert first["position"].tolist() == [1, 2, 3]


def test_reasons_speak_the_words_of_the_catalogue() -> None:
    reasons = core.reasons(PAIRS, X, CONTRIBUTIONS, FEATURES)
    assert reasons["phrase"].tolist() == [
        "time since the last purchase: 6 days",
        "buyers last week over the mean of eight weeks: 1.25",
        "orders of the customer: 41",
        "time since the last purchase: never bought",
        "kind of shop: MINIMARKET",
        "buyers last week over the mean of eight weeks: 0.5",
    ]


def test_a_null_value_is_a_reason_without_a_value() -> None:
    reasons = core.reasons(PAIRS, X, CONTRIBUTIONS, FEATURES)
    assert reasons["value"].isna().tolist() == [False, False, False, True, False, False]


def test_a_category_that_the_business_does_not_give_is_told_in_words_and_has_no_value() -> None:
    shop = Feature("kind", "customer", "", "kind of shop", "the business does not say", categorical=True)
    nameless = pd.DataFrame({"kind": pd.Series(["", "KIOSCO"], dtype=object)})
    reasons = core.reasons(PAIRS, nameless, np.array([[0.5], [0.5]]), [shop])
    assert reasons["phrase"].tolist() == ["kind of shop: the business does not say", "kind of shop: KIOSCO"]
    assert reasons["value"].isna().tolist() == [True, False]


def test_importance_is_the_mean_absolute_contribution_and_its_shares_add_up_to_one() -> None:
    table = core.importance(CONTRIBUTIONS, FEATURES)
    assert table["feature"].tolist() == ["recency", "momentum", "kind", "n_orders"]
    assert table["mean_abs_contribution"].tolist() == pytest.approx([0.5, 0.25, 0.2, 0.1])
    assert table["share"].sum() == pytest.approx(1.0)


def test_features_of_a_group_that_cancel_each_other_count_once() -> None:
    cancelling = np.array([[0.0, 0.4, 0.1, -0.4]])
    groups = core.group_importance(cancelling, FEATURES)
    assert groups.to_dict() == pytest.approx({"product": 0.1, "customer": 0.0, "pair": 0.0})


def test_contributions_that_add_up_to_the_score_pass_with_their_gap() -> None:
    with_base = np.column_stack([CONTRIBUTIONS, [-1.0, -1.0]])
    assert core.check_additivity(with_base, with_base.sum(axis=1)) == 0.0


def test_contributions_of_another_model_are_refused() -> None:
    with_base = np.column_stack([CONTRIBUTIONS, [-1.0, -1.0]])
    with pytest.raises(ModelError, match=r"miss the model's raw score by up to 0\.01 log-odds"):
        core.check_additivity(with_base, with_base.sum(axis=1) + np.array([0.0, 0.01]))


def drawn(customer_id: list[int], of_each: float) -> np.ndarray:
    """The customers of the candidates that a sample holds."""
    owners = np.array(customer_id)
    return owners[core.sample(owners, of_each, np.random.default_rng(0))]


def test_few_candidates_all_stand_for_themselves() -> None:
    assert core.drawn_of_each(n_candidates=12, n_customers=3, max_rows=12) == np.inf
    assert drawn([1, 1, 2], np.inf).tolist() == [1, 1, 2]


def test_a_sample_takes_the_same_number_from_every_customer() -> None:
    assert core.drawn_of_each(n_candidates=650, n_customers=4, max_rows=43) == 10
    owners = [0] * 50 + [1] * 50 + [2] * 50 + [9] * 500
    assert drawn(owners, 10).tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [9] * 10


def test_a_sample_takes_a_share_of_the_customers_where_there_are_more_than_rows() -> None:
    assert core.drawn_of_each(n_candidates=150_000, n_customers=30_000, max_rows=3_000) == 0.1
    owners = drawn(list(np.repeat(np.arange(30_000), 5)), 0.1)
    assert 2_700 < len(owners) < 3_300
    assert len(set(owners)) == len(owners)


def test_another_candidate_is_drawn_of_every_customer() -> None:
    places = np.flatnonzero(core.sample(np.repeat(np.arange(100), 10), 1, np.random.default_rng(0)))
    assert len(places) == 100
    assert set(places % 10) == set(range(10))
