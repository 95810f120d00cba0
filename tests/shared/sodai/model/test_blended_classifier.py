"""The blend of classifier, ranker and momentum: fits, scores, contributions and file."""

from collections.abc import Mapping
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.blended_classifier import (
    CLASSIFIER,
    MEMBERS,
    MOMENTUM,
    MOMENTUM_FEATURE,
    RANKER,
    BlendedClassifier,
)
from sodai.model.trained_model import TrainedModel, build_pipeline, fit_pipeline, load_model
from support.small_model import PARAMS, synthetic_features, synthetic_model_card

ROWS_A_LIST = 8
EQUAL = dict.fromkeys(MEMBERS, 1.0)
some_weights = st.dictionaries(st.sampled_from(MEMBERS), st.floats(0.01, 5), min_size=1)


def rows(seed: int = 0) -> pd.DataFrame:
    """Return rows of every feature, momentum scores at least 0 as in real tables."""
    X = synthetic_features(seed=seed)
    return X.assign(**{MOMENTUM_FEATURE: X[MOMENTUM_FEATURE].abs()})


def target(X: pd.DataFrame) -> np.ndarray:
    return (X["product_brand"] == "Brand 0").to_numpy(np.int8)


def lists(X: pd.DataFrame) -> np.ndarray:
    return np.arange(len(X)) // ROWS_A_LIST


def fit_model(weights: Mapping[str, float] | None) -> TrainedModel:
    X = rows()
    pipeline = build_pipeline(PARAMS, seed=0, weights=weights)
    return TrainedModel(
        fit_pipeline(pipeline, X, target(X), np.ones(len(X)), lists(X)), dict(synthetic_model_card())
    )


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return fit_model(EQUAL)


@pytest.fixture(scope="module", name="X")
def unseen_rows(model: TrainedModel) -> pd.DataFrame:
    """Return encoded rows that the blend has not seen."""
    return model.encode(rows(seed=1))


def reweight(blend: BlendedClassifier, weights: Mapping[str, float]) -> BlendedClassifier:
    """Return the blend with other weights; members without a weight are removed."""
    other = copy(blend).set_params(weights=weights)
    other.estimators_ = {name: each for name, each in blend.estimators_.items() if name in weights}
    return other


def test_the_blend_has_learned_which_brand_buys(model: TrainedModel) -> None:
    X = rows(seed=1)
    score, bought = model.raw_score(X), target(X) == 1
    assert score[bought].mean() > score[~bought].mean() + 2
    assert model.blend.predict(model.encode(X))[bought].mean() > 0.9


def test_members_of_equal_weight_are_summed(model: TrainedModel, X: pd.DataFrame) -> None:
    scores = model.blend.member_scores(X)
    classifier = model.blend.estimators_[CLASSIFIER].predict_proba(X)[:, 1]
    np.testing.assert_allclose(scores[CLASSIFIER], np.log(classifier / (1 - classifier)), atol=1e-9)
    np.testing.assert_allclose(scores[RANKER], model.blend.estimators_[RANKER].predict(X), atol=1e-12)
    np.testing.assert_allclose(scores[MOMENTUM], np.log(X[MOMENTUM_FEATURE] + 0.05), atol=1e-6)
    np.testing.assert_allclose(
        model.blend.decision_function(X),
        scores[CLASSIFIER] + scores[RANKER] + scores[MOMENTUM],
        atol=1e-12,
    )


@given(weights=some_weights)
def test_the_score_is_the_weighted_sum_of_the_members(
    model: TrainedModel, X: pd.DataFrame, weights: dict[str, float]
) -> None:
    scores = model.blend.member_scores(X)
    expected = sum(weight * scores[name] for name, weight in weights.items())
    np.testing.assert_allclose(reweight(model.blend, weights).decision_function(X), expected, atol=1e-9)


@given(weights=some_weights)
def test_contributions_add_up_to_the_score(
    model: TrainedModel, X: pd.DataFrame, weights: dict[str, float]
) -> None:
    blend = reweight(model.blend, weights)
    values = blend.contributions(X)
    assert values.shape == (len(X), len(FEATURE_NAMES) + 1)
    np.testing.assert_allclose(values.sum(axis=1), blend.decision_function(X), atol=1e-8)
    # The base value is the same for every row.
    assert np.ptp(values[:, -1]) < 1e-9


def test_contributions_of_a_model_are_in_catalogue_order(model: TrainedModel) -> None:
    unseen = rows(seed=1)
    values = model.contributions(unseen)
    np.testing.assert_allclose(values.sum(axis=1), model.raw_score(unseen), atol=1e-8)
    strongest = np.argsort(-np.abs(values[:, :-1]).mean(axis=0))[:2]
    assert {FEATURE_NAMES[position] for position in strongest} == {"product_brand", MOMENTUM_FEATURE}


def test_the_momentum_as_the_only_member_is_explained_by_its_feature_only(
    model: TrainedModel, X: pd.DataFrame
) -> None:
    blend = fit_model({MOMENTUM: 2.0}).blend
    assert blend.estimators_ == {}
    values = pd.DataFrame(blend.contributions(X)[:, :-1], columns=X.columns)
    assert (values.drop(columns=MOMENTUM_FEATURE) == 0).all(axis=None)
    centre = np.log(rows()[MOMENTUM_FEATURE] + 0.05).mean()
    expected = 2 * (np.log(X[MOMENTUM_FEATURE] + 0.05) - centre)
    np.testing.assert_allclose(values[MOMENTUM_FEATURE], expected, atol=1e-6)


def test_probabilities_of_both_classes_agree_with_the_prediction(
    model: TrainedModel, X: pd.DataFrame
) -> None:
    probability = model.blend.predict_proba(X)
    assert model.blend.classes_.tolist() == [0, 1]
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(probability[:, 1] > 0.5, model.blend.predict(X) == 1)


def test_without_weights_the_classifier_is_the_only_member(X: pd.DataFrame) -> None:
    alone = fit_model(None).blend
    assert list(alone.estimators_) == [CLASSIFIER]
    np.testing.assert_array_equal(
        alone.decision_function(X), fit_model({CLASSIFIER: 1.0}).blend.decision_function(X)
    )


@pytest.mark.parametrize("name", [CLASSIFIER, RANKER])
def test_the_score_of_a_member_does_not_depend_on_the_other_members(
    model: TrainedModel, X: pd.DataFrame, name: str
) -> None:
    alone = fit_model({name: 1.0}).blend
    np.testing.assert_array_equal(alone.decision_function(X), model.blend.member_scores(X)[name])


def test_lists_without_a_purchase_do_not_change_the_ranker() -> None:
    # The last third of the lists has no purchase; one fit gets them, the other does not.
    full = rows()
    X, group = fit_model(None).encode(full), lists(full)
    silent = group >= group.max() * 2 // 3
    y = np.where(silent, 0, target(full))
    weight = np.ones(len(y))

    both = BlendedClassifier(PARAMS, 0, {RANKER: 1.0}).fit(X, y, weight, group)
    some = BlendedClassifier(PARAMS, 0, {RANKER: 1.0}).fit(
        X[~silent], y[~silent], weight[~silent], group[~silent]
    )

    np.testing.assert_array_equal(both.decision_function(X), some.decision_function(X))


def test_the_numbers_of_lists_matter_only_where_one_ends() -> None:
    full = rows()
    X, y, group = fit_model(None).encode(full), target(full), lists(full)
    one, other = (
        BlendedClassifier(PARAMS, 0, {RANKER: 1.0}).fit(X, y, group=numbers)
        for numbers in (group, 7 - 3 * group)
    )
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_a_ranker_without_lists_is_an_error() -> None:
    full = rows()
    X = fit_model(None).encode(full)
    with pytest.raises(ValueError, match="group is None, expected the list of each row"):
        BlendedClassifier(PARAMS, 0, EQUAL).fit(X, target(full))


def test_a_weight_for_an_unknown_member_is_an_error_at_scoring(model: TrainedModel, X: pd.DataFrame) -> None:
    with pytest.raises(KeyError, match="weather"):
        reweight(model.blend, {"weather": 1.0}).decision_function(X)


def test_the_blend_is_cloned_like_any_estimator_of_scikit_learn(model: TrainedModel) -> None:
    unfitted = clone(model.blend)
    assert unfitted.get_params() == {"params": PARAMS, "seed": 0, "weights": EQUAL}
    assert not hasattr(unfitted, "estimators_")
    check_is_fitted(model.blend)


def test_a_loaded_blend_gives_the_same_scores_and_contributions(model: TrainedModel, tmp_path: Path) -> None:
    weights = {CLASSIFIER: 0.75, RANKER: 0.5, MOMENTUM: 0.25}
    model = fit_model(weights)
    model.save(tmp_path / "model")
    loaded, unseen = load_model(tmp_path / "model"), rows(seed=1)
    assert loaded.blend.weights == weights
    np.testing.assert_array_equal(loaded.log_odds(unseen), model.log_odds(unseen))
    np.testing.assert_array_equal(loaded.contributions(unseen), model.contributions(unseen))


def test_a_second_training_of_a_blend_saves_the_same_bytes(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path / "first")
    fit_model(EQUAL).save(tmp_path / "second")
    for name in ("model.skops", "model.json"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes(), name
