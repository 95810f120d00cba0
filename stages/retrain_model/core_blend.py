"""Which members a challenger is made of, and how much each counts, learnt on periods its fits never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from retrain_model.core_rows import Floats, Fold, kept_lists
from sodai.evaluation.metrics import mean_ndcg_of_lists
from sodai.model.trained_model import TrainedModel, build_pipeline, fit_pipeline

# Shares of a member beside one of the first, in standard deviations of the scores.
_SHARES = (0.0, 0.1, 0.2, 0.35, 0.6, 1.0)
# Less than this is noise of few periods, and one member is simpler than three.
_SMALLEST_GAIN = 0.001
_MOST_ROWS = 150_000
_AS_IT_IS = {"slope": 1.0, "intercept": 0.0}


@dataclass(frozen=True)
class Tested:
    """A closed period as the members score it: scores by member, target and list of each row (n,)."""

    scores: dict[str, Floats]
    y: npt.NDArray[np.int8]
    group: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Blend:
    """The weights of the members, the calibration of their sum, and what every choice was worth."""

    weights: dict[str, float]
    calibration: dict[str, float]
    figures: dict[str, dict[str, float]]


def tested_periods(
    folds: Sequence[Fold], params: dict[str, Any], seed: int, members: Sequence[str]
) -> list[Tested]:
    """The tested period of each fold, scored by members that were fitted on earlier periods alone."""
    tested = []
    for fold in folds:
        train = fold.train
        pipeline = build_pipeline(params, seed, dict.fromkeys(members, 1.0))
        model = TrainedModel(fit_pipeline(pipeline, train.X, train.y, train.weight, train.group), {})
        scores = model.blend.member_scores(model.encode(fold.valid.X))
        tested.append(Tested(scores, fold.valid.y, fold.valid.group))
    return tested


def choose(tested: Sequence[Tested]) -> Blend:
    """The blend of the members that is worth most, or the best member alone where none is better.

    Weights are tried on a grid, in standard deviations of each score, and what counts is the mean of
    average precision, which the predicted set is cut from, and NDCG@10, which is the lists: a
    likelihood sees no lists, and left a ranker out that improved them. A blend is judged on each
    period with the weights that are best on the others.
    """
    members = list(tested[0].scores)
    judged = [_some_lists(each) for each in tested if each.y.min() != each.y.max()]
    if not judged:
        nothing = dict.fromkeys(("average_precision", "ndcg_at_10", "value"), 0.0)
        return Blend({members[0]: 1.0}, _AS_IT_IS, dict.fromkeys(members, nothing))
    spreads = {name: _spread(tested, name) for name in members}
    mixtures = _mixtures(members)
    worth = np.array([[_worth(each, _scaled(mixture, spreads)) for mixture in mixtures] for each in judged])
    value = worth.mean(axis=2)

    alone = {name: mixtures.index({name: 1.0}) for name in members}
    figures = {name: _figures(worth[:, place]) for name, place in alone.items()}
    best = max(members, key=lambda name: figures[name]["value"])
    blends = [place for place, mixture in enumerate(mixtures) if len(mixture) > 1]
    if blends:
        figures["blend"] = _figures(worth[np.arange(len(judged)), _best_on_others(value, blends)])
    if figures.get("blend", figures[best])["value"] < figures[best]["value"] + _SMALLEST_GAIN:
        return Blend({best: 1.0}, calibrate(tested, {best: 1.0}), figures)
    mixture = mixtures[blends[int(np.argmax(value[:, blends].mean(axis=0)))]]
    weights = _scaled(mixture, spreads)
    line = calibrate(tested, weights)
    weights = {name: weight * line["slope"] for name, weight in weights.items()}
    return Blend(weights, {"slope": 1.0, "intercept": line["intercept"]}, figures)


def _best_on_others(value: Floats, blends: Sequence[int]) -> list[int]:
    """The blend worth most on the other periods, for each period; on itself where it is the only one.

    Args:
        value: (n periods, n mixtures).
        blends: columns to choose from.
    """
    n = len(value)
    on_others = (value.sum(axis=0) - value) / (n - 1) if n > 1 else value
    return [blends[int(place)] for place in on_others[:, blends].argmax(axis=1)]


def calibrate(tested: Sequence[Tested], weights: Mapping[str, float]) -> dict[str, float]:
    """Slope and intercept of the line from a weighted sum of scores to log-odds (Platt, 1999).

    Over several periods together: a free-form curve on few periods would copy their volume. A sum
    that says nothing of these rows keeps its order, at the share that was bought.
    """
    y = np.concatenate([each.y for each in tested])
    score = np.concatenate([_sum(each, weights) for each in tested])
    line = LogisticRegression(C=np.inf, max_iter=500).fit(score[:, None], y)
    slope, intercept = float(line.coef_[0, 0]), float(line.intercept_[0])
    if slope <= 0:
        slope, intercept = 1.0, float(np.log(y.mean() / (1 - y.mean())) - score.mean())
    return {"slope": slope, "intercept": intercept}


def _mixtures(members: Sequence[str]) -> list[dict[str, float]]:
    """The first member with each share of the others, and each of the others alone; no weight is 0."""
    first, *others = members
    grid = [
        {first: 1.0, **{name: share for name, share in zip(others, shares, strict=True) if share}}
        for shares in product(_SHARES, repeat=len(others))
    ]
    return [*grid, *({name: 1.0} for name in others)]


def _scaled(mixture: Mapping[str, float], spreads: Mapping[str, float]) -> dict[str, float]:
    return {name: share / spreads[name] for name, share in mixture.items()}


def _spread(tested: Sequence[Tested], name: str) -> float:
    return float(np.std(np.concatenate([each.scores[name] for each in tested]))) or 1.0


def _some_lists(period: Tested) -> Tested:
    """A period with at most about `_MOST_ROWS` rows: more say no more of a weight, and cost time."""
    kept = kept_lists(period.group, _MOST_ROWS)
    if kept.all() or period.y[kept].min(initial=1) == period.y[kept].max(initial=0):
        return period
    return Tested(
        {name: score[kept] for name, score in period.scores.items()}, period.y[kept], period.group[kept]
    )


def _sum(period: Tested, weights: Mapping[str, float]) -> Floats:
    total = np.zeros(len(period.y))
    for name, weight in weights.items():
        total += weight * period.scores[name]
    return total


def _worth(period: Tested, weights: Mapping[str, float]) -> tuple[float, float]:
    """Average precision and NDCG@10 of a weighted sum."""
    score = _sum(period, weights)
    return float(average_precision_score(period.y, score)), mean_ndcg_of_lists(period.y, score, period.group)


def _figures(worth: Floats) -> dict[str, float]:
    """Means over the periods: (n periods, 2) of average precision and NDCG@10."""
    precision, ndcg = worth.mean(axis=0)
    value = (precision + ndcg) / 2
    return {"average_precision": float(precision), "ndcg_at_10": float(ndcg), "value": float(value)}
