"""The blend on synthetic data: the fit of its members, the options that choose them, the model card."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from retrain_model.core_blend import score_folds
from retrain_model.core_training_set import Fold, Rows, TrainingSet, number_groups
from sodai.data.catalog import RETRAIN, RETRAINED_MODEL, SCORING, TRAINING
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.blended_classifier import CLASSIFIER, MEMBERS, MOMENTUM, MOMENTUM_FEATURE, RANKER
from sodai.model.trained_model import features_frame, load_model
from sodai.volume.volume import Volume
from support.champion import SMALL_SEARCH, SmallWeek, run_stage
from support.week import files_of

PARAMS = {"n_estimators": 8, "num_leaves": 7, "min_child_samples": 5, "learning_rate": 0.2}


@pytest.fixture
def volume(featured: SmallWeek, tmp_path: Path) -> Volume:
    return featured.copy(tmp_path / "volume")


@pytest.fixture(scope="module")
def folds(featured: SmallWeek) -> list[Fold]:
    """The two newest closed periods of the training table, and the periods before each."""
    table = featured.volume.read(TRAINING, featured.as_of)
    return TrainingSet.from_table(table, step_days=7, seed=0).folds(2, max_rows=1_000_000)


def test_a_group_of_the_training_table_is_one_customer_in_one_period(featured: SmallWeek) -> None:
    table = featured.volume.read(TRAINING, featured.as_of).select(["cutoff", "customer_id"]).to_pandas()
    table["group"] = number_groups(pd.to_datetime(table["cutoff"]), table["customer_id"].to_numpy())
    n_groups = len(table[["cutoff", "customer_id"]].drop_duplicates())
    assert table["group"].nunique() == n_groups == len(table.drop_duplicates())


def test_a_tested_period_is_scored_by_every_member(folds: list[Fold]) -> None:
    scored = score_folds(folds, PARAMS, 0, MEMBERS)
    assert len(scored) == len(folds)
    for each, fold in zip(scored, folds, strict=True):
        assert list(each.scores) == list(MEMBERS)
        assert all(np.isfinite(score).all() and len(score) == len(each.y) for score in each.scores.values())
        np.testing.assert_array_equal(each.y, fold.valid.y)
        np.testing.assert_array_equal(each.group, fold.valid.group)
        momentum = np.log(fold.valid.X[MOMENTUM_FEATURE] + 0.05)
        np.testing.assert_allclose(each.scores[MOMENTUM], momentum, atol=1e-6)
        for name in (CLASSIFIER, RANKER):
            score = each.scores[name]
            assert score[each.y == 1].mean() > score[each.y == 0].mean()


def test_the_purchases_of_a_tested_period_change_no_score_of_it(folds: list[Fold]) -> None:
    fold = folds[0]
    valid = Rows(fold.valid.X, (1 - fold.valid.y).astype(np.int8), fold.valid.weight, fold.valid.group)
    (before,) = score_folds([fold], PARAMS, 0, MEMBERS)
    (after,) = score_folds([Fold(fold.cutoff, fold.train, valid)], PARAMS, 0, MEMBERS)
    for name in MEMBERS:
        np.testing.assert_array_equal(after.scores[name], before.scores[name])


def test_a_member_that_is_not_wanted_is_not_fitted(folds: list[Fold]) -> None:
    (scored,) = score_folds(folds[:1], PARAMS, 0, [RANKER, MOMENTUM])
    assert list(scored.scores) == [RANKER, MOMENTUM]


def test_the_model_card_has_the_weights_and_the_figures_of_each_choice(trained: SmallWeek) -> None:
    model = load_model(trained.volume.path(RETRAINED_MODEL, trained.as_of))
    blend = model.card["blend"]
    assert set(blend) == {"weights", "figures"}
    assert blend["weights"] == trained.last_outcome.result["blend"] == model.blend.weights
    assert set(blend["weights"]) <= set(MEMBERS)
    assert set(blend["figures"]) == {*MEMBERS, "blend"}
    for figures in blend["figures"].values():
        assert figures["value"] == pytest.approx((figures["average_precision"] + figures["ndcg_at_10"]) / 2)
        assert 0 < figures["value"] <= 1
    value = {name: figures["value"] for name, figures in blend["figures"].items()}
    best = max(MEMBERS, key=lambda name: value[name])
    chosen = "blend" if len(blend["weights"]) > 1 else next(iter(blend["weights"]))
    assert chosen == ("blend" if value["blend"] >= value[best] + 0.001 else best)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_single_member_can_be_chosen_by_an_option(volume: Volume, featured: SmallWeek, name: str) -> None:
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH, "--members", name)

    assert outcome.code == 0, outcome.log
    assert outcome.result["blend"] == {name: 1.0}
    model = load_model(volume.path(RETRAINED_MODEL, featured.as_of))
    assert list(model.blend.estimators_) == ([name] if name != MOMENTUM else [])
    assert list(model.card["blend"]["figures"]) == [name]
    X = features_frame(volume.read(SCORING, featured.as_of))
    np.testing.assert_allclose(model.contributions(X).sum(axis=1), model.raw_score(X), atol=1e-8)
    assert len(set(model.log_odds(X))) > 10


def test_the_order_of_the_members_option_does_not_matter(
    volume: Volume, featured: SmallWeek, tmp_path: Path
) -> None:
    other = featured.copy(tmp_path / "other")
    options = (*SMALL_SEARCH, "--blend-rows", "1000", "--members")
    one = run_stage(RETRAIN, volume.root, featured.as_of, *options, "classifier,momentum")
    two = run_stage(RETRAIN, other.root, featured.as_of, *options, " momentum , classifier,momentum")
    assert one.code == two.code == 0
    assert one.result == two.result
    files = (v.path(RETRAINED_MODEL, featured.as_of) / "model.skops" for v in (volume, other))
    assert len({file.read_bytes() for file in files}) == 1


def test_blend_rows_change_neither_search_nor_features(
    volume: Volume, trained: SmallWeek, featured: SmallWeek
) -> None:
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, *SMALL_SEARCH, "--blend-rows", "1000")
    assert outcome.code == 0, outcome.log
    assert outcome.result["params"] == trained.last_outcome.result["params"]
    card = json.loads((volume.path(RETRAINED_MODEL, featured.as_of) / "model.json").read_text())
    assert card["features"] == FEATURE_NAMES
    # The members of the folds are trained on fewer rows, so their figures differ.
    other = trained.volume.path(RETRAINED_MODEL, trained.as_of) / "model.json"
    assert card["blend"]["figures"] != json.loads(other.read_text())["blend"]["figures"]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ("weather", "'weather'"),
        ("classifier,weather,Ranker", "'weather, Ranker'"),
        ("", "''"),
        ("classifier,", "''"),
    ],
)
def test_unknown_members_are_one_line_and_leave_no_output(
    volume: Volume, featured: SmallWeek, members: str, found: str
) -> None:
    before = files_of(volume.root)
    outcome = run_stage(RETRAIN, volume.root, featured.as_of, "--members", members)
    assert outcome.code == 1
    assert outcome.result["error"] == (
        f"--members: found {found}, expected some of classifier, ranker, momentum"
    )
    assert len(outcome.log.strip().splitlines()) == 1
    assert files_of(volume.root) == before
