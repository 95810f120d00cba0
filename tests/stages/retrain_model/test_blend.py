"""Which members are blended and how much each counts, on scores whose truth is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

# Under its own name pytest would take it for tests.
from retrain_model.core_blend import Tested as Scored
from retrain_model.core_blend import calibrate, choose
from sodai.evaluation.metrics import mean_ndcg_of_lists

ROWS_A_LIST = 20
FIRST, SECOND, THIRD = "classifier", "ranker", "momentum"


def period(seed: int, weights: dict[str, float], intercept: float = -2.0, n_lists: int = 300) -> Scored:
    """Scores of three members at random, and targets drawn with the odds of their weighted sum."""
    rng = np.random.default_rng(seed)
    n = n_lists * ROWS_A_LIST
    scores = {name: rng.normal(0, 1, n) for name in (FIRST, SECOND, THIRD)}
    log_odds = sum((weight * scores[name] for name, weight in weights.items()), np.full(n, intercept))
    y = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return Scored(scores, y, np.repeat(np.arange(n_lists), ROWS_A_LIST))


def periods(weights: dict[str, float], n_periods: int = 3) -> list[Scored]:
    return [period(seed, weights) for seed in range(n_periods)]


def only(tested: Sequence[Scored], *names: str) -> list[Scored]:
    """The same periods, scored by some members."""
    return [Scored({name: each.scores[name] for name in names}, each.y, each.group) for each in tested]


def test_a_line_through_the_score_that_targets_were_drawn_with_is_found() -> None:
    tested = periods({FIRST: 0.8, SECOND: 0.4})
    line = calibrate(tested, {FIRST: 1.6, SECOND: 0.8})
    # A slope's standard error is about 1 / sqrt(18000 rows * .1 * variance 3.2), of a half of it .01.
    assert line == pytest.approx({"slope": 0.5, "intercept": -2.0}, abs=0.08)
    y = np.concatenate([each.y for each in tested])
    score = np.concatenate([1.6 * each.scores[FIRST] + 0.8 * each.scores[SECOND] for each in tested])
    # The score equation of logistic regression: exact where it was fitted.
    odds = line["intercept"] + line["slope"] * score
    assert (1 / (1 + np.exp(-odds))).sum() == pytest.approx(y.sum(), rel=1e-3)


def test_a_score_that_counts_against_itself_keeps_its_order_at_the_share_that_was_bought() -> None:
    tested = only(periods({FIRST: -1.0}), FIRST)
    y = np.concatenate([each.y for each in tested])
    score = np.concatenate([each.scores[FIRST] for each in tested])
    blend = choose(tested)
    assert (blend.weights, blend.calibration["slope"]) == ({FIRST: 1.0}, 1.0)
    assert blend.calibration["intercept"] + score.mean() == pytest.approx(np.log(y.mean() / (1 - y.mean())))


def test_a_member_that_would_count_against_itself_is_left_out() -> None:
    blend = choose(periods({FIRST: 1.0, SECOND: -0.5, THIRD: 0.5}))
    assert list(blend.weights) == [FIRST, THIRD]


def test_the_scale_of_a_score_does_not_matter() -> None:
    tested = periods({FIRST: 1.0, SECOND: 0.6})
    larger = [
        Scored({**each.scores, SECOND: 50 * each.scores[SECOND]}, each.y, each.group) for each in tested
    ]
    one, other = choose(tested), choose(larger)
    assert other.weights[SECOND] == pytest.approx(one.weights[SECOND] / 50)
    assert other.weights[FIRST] == pytest.approx(one.weights[FIRST])
    assert other.figures["blend"] == pytest.approx(one.figures["blend"])


@pytest.mark.parametrize("target", [0, 1])
def test_periods_of_one_class_leave_the_first_member_as_it_is(target: int) -> None:
    tested = [
        Scored(each.scores, np.full_like(each.y, target), each.group) for each in periods({FIRST: 1.0}, 2)
    ]
    blend = choose(tested)
    assert (blend.weights, blend.calibration) == ({FIRST: 1.0}, {"slope": 1.0, "intercept": 0.0})
    assert {figure for each in blend.figures.values() for figure in each.values()} == {0.0}


def test_members_that_know_different_things_are_blended() -> None:
    tested = periods({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6})
    blend = choose(tested)
    # The nearest shares on the grid, and the line that turns their sum into log-odds.
    assert blend.weights == pytest.approx({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6}, abs=0.25)
    assert blend.calibration["slope"] == 1.0
    assert blend.calibration["intercept"] == pytest.approx(-2.0, abs=0.1)
    alone = max(blend.figures[name]["value"] for name in (FIRST, SECOND, THIRD))
    assert blend.figures["blend"]["value"] > alone + 0.02


@pytest.mark.parametrize("best", [FIRST, SECOND, THIRD])
def test_the_best_member_stands_alone_where_the_blend_is_not_better(best: str) -> None:
    # What one period says of the other two members is wrong for the other period.
    others = [name for name in (FIRST, SECOND, THIRD) if name != best]
    first, second = periods({best: 1.0, **dict.fromkeys(others, 0.3)}, 2)
    turned = {**second.scores, **{name: -second.scores[name] for name in others}}
    tested = [
        Scored({**scores, best: 2 * scores[best]}, each.y, each.group)
        for scores, each in ((first.scores, first), (turned, second))
    ]
    blend = choose(tested)
    assert blend.figures["blend"]["value"] < blend.figures[best]["value"]
    # Alone it keeps its own scale: the score is about twice the log-odds, so the line's slope is a half.
    assert blend.weights == {best: 1.0}
    assert blend.calibration == pytest.approx({"slope": 0.5, "intercept": -2.0}, abs=0.1)


def test_a_blend_that_orders_no_better_is_not_taken() -> None:
    # The second and the third are the first: any blend of them orders like it.
    tested = [
        Scored({FIRST: each.scores[FIRST], SECOND: 3 * each.scores[FIRST]}, each.y, each.group)
        for each in periods({FIRST: 1.0})
    ]
    blend = choose(tested)
    assert blend.figures["blend"] == pytest.approx(blend.figures[FIRST])
    # Of equal members the classifier is taken, whose score is log-odds already.
    assert blend.weights == {FIRST: 1.0}


def test_one_member_is_only_calibrated() -> None:
    tested = only(periods({SECOND: 0.7}), SECOND)
    blend = choose(tested)
    assert blend.weights == {SECOND: 1.0}
    assert blend.calibration == pytest.approx({"slope": 0.7, "intercept": -2.0}, abs=0.1)
    assert list(blend.figures) == [SECOND]


def test_one_period_is_enough_to_choose_by() -> None:
    blend = choose(periods({FIRST: 1.0, SECOND: 0.8, THIRD: 0.6}, 1))
    assert list(blend.weights) == [FIRST, SECOND, THIRD]


def test_a_period_is_judged_with_the_weights_of_the_others() -> None:
    first, second = periods({FIRST: 1.0, SECOND: 0.8}, 2)
    # What the second period learns of SECOND is wrong for the first, and the other way round.
    turned = Scored({**second.scores, SECOND: -second.scores[SECOND]}, second.y, second.group)
    figures = choose(only([first, turned], FIRST, SECOND)).figures
    shares = (0.1, 0.2, 0.35, 0.6, 1.0)

    def worth(each: Scored, share: float) -> float:
        score = each.scores[FIRST] + share * each.scores[SECOND] * spread[FIRST] / spread[SECOND]
        ndcg = mean_ndcg_of_lists(each.y, score, each.group)
        return float((average_precision_score(each.y, score) + ndcg) / 2)

    spread = {
        name: np.std(np.concatenate([first.scores[name], turned.scores[name]])) for name in (FIRST, SECOND)
    }
    expected = [
        worth(judged, max(shares, key=lambda share: worth(other, share)))
        for judged, other in ((first, turned), (turned, first))
    ]
    assert figures["blend"]["value"] == pytest.approx(np.mean(expected))


def test_the_figures_are_means_over_periods_and_their_value_is_the_mean_of_both() -> None:
    tested = periods({FIRST: 1.0})
    figures = choose(tested).figures[FIRST]
    precision = np.mean([average_precision_score(each.y, each.scores[FIRST]) for each in tested])
    ndcg = np.mean([mean_ndcg_of_lists(each.y, each.scores[FIRST], each.group) for each in tested])
    assert figures == pytest.approx(
        {"average_precision": precision, "ndcg_at_10": ndcg, "value": (precision + ndcg) / 2}
    )
