"""The choice of members, weights and calibration of a blend, on scores whose truth is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from retrain_model.core_blend import ScoredPeriod, calibrate, choose_blend
from sodai.evaluation.metrics import mean_ndcg_of_lists

ROWS_PER_GROUP = 20
FIRST, SECOND, THIRD = "classifier", "ranker", "momentum"


def period(
    seed: int, weights: dict[str, float], intercept: float = -2.0, n_groups: int = 300
) -> ScoredPeriod:
    """Return random scores of three members, and targets drawn with the odds of their weighted sum."""
    rng = np.random.default_rng(seed)
    n = n_groups * ROWS_PER_GROUP
    scores = {name: rng.normal(0, 1, n) for name in (FIRST, SECOND, THIRD)}
    log_odds = sum((weight * scores[name] for name, weight in weights.items()), np.full(n, intercept))
    y = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return ScoredPeriod(scores, y, np.repeat(np.arange(n_groups), ROWS_PER_GROUP))


def periods(weights: dict[str, float], n_periods: int = 3) -> list[ScoredPeriod]:
    return [period(seed, weights) for seed in range(n_periods)]


def only(periods: Sequence[ScoredPeriod], *names: str) -> list[ScoredPeriod]:
    """Return the periods with the scores of some members."""
    return [ScoredPeriod({name: each.scores[name] for name in names}, each.y, each.group) for each in periods]


def test_the_calibration_finds_the_line_that_targets_were_drawn_with() -> None:
    scored = periods({FIRST: 0.8, SECOND: 0.4})
    line = calibrate(scored, {FIRST: 1.6, SECOND: 0.8})
    # A slope's standard error is about 1 / sqrt(18000 rows * .1 * variance 3.2), of a half of it .01.
    assert line == pytest.approx({"slope": 0.5, "intercept": -2.0}, abs=0.08)
    y = np.concatenate([each.y for each in scored])
    score = np.concatenate([1.6 * each.scores[FIRST] + 0.8 * each.scores[SECOND] for each in scored])
    # The score equation of logistic regression: exact where it was fitted.
    odds = line["intercept"] + line["slope"] * score
    assert (1 / (1 + np.exp(-odds))).sum() == pytest.approx(y.sum(), rel=1e-3)


def test_a_score_with_a_negative_slope_keeps_its_order_at_the_share_that_was_bought() -> None:
    scored = only(periods({FIRST: -1.0}), FIRST)
    y = np.concatenate([each.y for each in scored])
    score = np.concatenate([each.scores[FIRST] for each in scored])
    blend = choose_blend(scored)
    assert (blend.weights, blend.calibration["slope"]) == ({FIRST: 1.0}, 1.0)
    assert blend.calibration["intercept"] + score.mean() == pytest.approx(np.log(y.mean() / (1 - y.mean())))


def test_a_member_that_would_need_a_negative_weight_is_left_out() -> None:
    blend = choose_blend(periods({FIRST: 1.0, SECOND: -0.5, THIRD: 0.5}))
    assert list(blend.weights) == [FIRST, THIRD]


def test_the_scale_of_a_score_does_not_matter() -> None:
    scored = periods({FIRST: 1.0, SECOND: 0.6})
    larger = [
        ScoredPeriod({**each.scores, SECOND: 50 * each.scores[SECOND]}, each.y, each.group) for each in scored
    ]
    one, other = choose_blend(scored), choose_blend(larger)
    assert other.weights[SECOND] == pytest.approx(one.weights[SECOND] / 50)
    assert other.weights[FIRST] == pytest.approx(one.weights[FIRST])
    assert other.figures["blend"] == pytest.approx(one.figures["blend"])


@pytest.mark.parametrize("target", [0, 1])
def test_periods_of_one_class_leave_the_first_member_alone_and_uncalibrated(target: int) -> None:
    scored = [
        ScoredPeriod(each.scores, np.full_like(each.y, target), each.group)
        for each in periods({FIRST: 1.0}, 2)
    ]
    blend = choose_blend(scored)
    assert (blend.weights, blend.calibration) == ({FIRST: 1.0}, {"slope": 1.0, "intercept": 0.0})
    assert {figure for each in blend.figures.values() for figure in each.values()} == {0.0}


def test_members_with_different_information_are_blended() -> None:
    scored = periods({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6})
    blend = choose_blend(scored)
    # The nearest shares on the grid, and the line that turns their sum into log-odds.
    assert blend.weights == pytest.approx({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6}, abs=0.25)
    assert blend.calibration["slope"] == 1.0
    assert blend.calibration["intercept"] == pytest.approx(-2.0, abs=0.1)
    best = max(blend.figures[name]["value"] for name in (FIRST, SECOND, THIRD))
    assert blend.figures["blend"]["value"] > best + 0.02


@pytest.mark.parametrize("best", [FIRST, SECOND, THIRD])
def test_the_best_member_is_used_alone_where_the_blend_is_not_better(best: str) -> None:
    # The best weights of the other two members on one period are wrong on the other period.
    others = [name for name in (FIRST, SECOND, THIRD) if name != best]
    first, second = periods({best: 1.0, **dict.fromkeys(others, 0.3)}, 2)
    turned = {**second.scores, **{name: -second.scores[name] for name in others}}
    scored = [
        ScoredPeriod({**scores, best: 2 * scores[best]}, each.y, each.group)
        for scores, each in ((first.scores, first), (turned, second))
    ]
    blend = choose_blend(scored)
    assert blend.figures["blend"]["value"] < blend.figures[best]["value"]
    # Alone it keeps its own scale: the score is about twice the log-odds, so the line's slope is a half.
    assert blend.weights == {best: 1.0}
    assert blend.calibration == pytest.approx({"slope": 0.5, "intercept": -2.0}, abs=0.1)


def test_a_blend_that_ranks_no_better_is_not_chosen() -> None:
    # The second is the first, three times as large: any blend of them ranks like it.
    scored = [
        ScoredPeriod({FIRST: each.scores[FIRST], SECOND: 3 * each.scores[FIRST]}, each.y, each.group)
        for each in periods({FIRST: 1.0})
    ]
    blend = choose_blend(scored)
    assert blend.figures["blend"] == pytest.approx(blend.figures[FIRST])
    # Of equal members the classifier is chosen: its score is in log-odds already.
    assert blend.weights == {FIRST: 1.0}


def test_one_member_is_only_calibrated() -> None:
    scored = only(periods({SECOND: 0.7}), SECOND)
    blend = choose_blend(scored)
    assert blend.weights == {SECOND: 1.0}
    assert blend.calibration == pytest.approx({"slope": 0.7, "intercept": -2.0}, abs=0.1)
    assert list(blend.figures) == [SECOND]


def test_one_period_is_enough_to_choose_weights() -> None:
    blend = choose_blend(periods({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6}, 1))
    assert list(blend.weights) == [FIRST, SECOND, THIRD]


def test_a_blend_is_evaluated_on_a_period_with_the_best_weights_of_the_others() -> None:
    first, second = periods({FIRST: 1.0, SECOND: 0.8}, 2)
    # The best weight of SECOND on one period is wrong on the other.
    turned = ScoredPeriod({**second.scores, SECOND: -second.scores[SECOND]}, second.y, second.group)
    figures = choose_blend(only([first, turned], FIRST, SECOND)).figures
    weights = (0.1, 0.2, 0.35, 0.6, 1.0)

    def value(each: ScoredPeriod, weight: float) -> float:
        score = each.scores[FIRST] + weight * each.scores[SECOND] * spread[FIRST] / spread[SECOND]
        ndcg = mean_ndcg_of_lists(each.y, score, each.group)
        return float((average_precision_score(each.y, score) + ndcg) / 2)

    spread = {
        name: np.std(np.concatenate([first.scores[name], turned.scores[name]])) for name in (FIRST, SECOND)
    }
    expected = [
        value(evaluated, max(weights, key=lambda weight: value(other, weight)))
        for evaluated, other in ((first, turned), (turned, first))
    ]
    assert figures["blend"]["value"] == pytest.approx(np.mean(expected))


def test_the_figures_are_means_over_periods_and_their_value_is_the_mean_of_both() -> None:
    scored = periods({FIRST: 1.0})
    figures = choose_blend(scored).figures[FIRST]
    precision = np.mean([average_precision_score(each.y, each.scores[FIRST]) for each in scored])
    ndcg = np.mean([mean_ndcg_of_lists(each.y, each.scores[FIRST], each.group) for each in scored])
    assert figures == pytest.approx(
        {"average_precision": precision, "ndcg_at_10": ndcg, "value": (precision + ndcg) / 2}
    )
