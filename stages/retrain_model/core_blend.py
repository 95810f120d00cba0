"""Which members a challenger is made of, and how much each counts, learnt on periods its fits never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from retrain_model.core_rows import Floats, Fold
from sodai.blend import CLASSIFIER
from sodai.model import TrainedModel, fit_pipeline, purchase_pipeline

_LIST_LENGTH = 10


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
        pipeline = purchase_pipeline(params, seed, dict.fromkeys(members, 1.0))
        model = TrainedModel(fit_pipeline(pipeline, train.X, train.y, train.weight, train.group), {})
        scores = model.blend.member_scores(model.encoded(fold.valid.X))
        tested.append(Tested(scores, fold.valid.y, fold.valid.group))
    return tested


def choose(tested: Sequence[Tested]) -> Blend:
    """The blend of all members, or the best member alone where the blend is not better.

    Each period is judged with weights from the other periods. What counts is the mean of average
    precision, which the predicted set is cut from, and NDCG@10, which is the lists.
    """
    members = list(tested[0].scores)
    figures = {name: _figures(tested, [each.scores[name] for each in tested]) for name in members}
    best = max(members, key=lambda name: (figures[name]["value"], name == CLASSIFIER))
    if len(members) > 1:
        blended = []
        for number, each in enumerate(tested):
            others = [other for place, other in enumerate(tested) if place != number] or [each]
            weights, _ = fit_weights(others, members)
            blended.append(_sum(each, weights))
        figures["blend"] = _figures(tested, blended)
    chosen = members if figures.get("blend", {"value": -1.0})["value"] > figures[best]["value"] else [best]
    weights, intercept = fit_weights(tested, chosen)
    if len(chosen) == 1:
        # Alone a member keeps its own scale, and the slope is that of its calibration.
        slope = weights[best]
        return Blend({best: 1.0}, {"slope": slope, "intercept": intercept}, figures)
    return Blend(weights, {"slope": 1.0, "intercept": intercept}, figures)


def fit_weights(tested: Sequence[Tested], members: Sequence[str]) -> tuple[dict[str, float], float]:
    """Weights and intercept that turn the members' scores into log-odds of a purchase.

    A logistic regression over several periods together (Platt, 1999, with more than one score): a
    free-form curve on few periods would copy their volume. A member that would count against itself
    is left out, the one that stands most against first.

    Returns:
        weight by member, of those kept; intercept. The first member as it is where the rows hold
        one class only.
    """
    y = np.concatenate([each.y for each in tested])
    if y.min() == y.max():
        return {members[0]: 1.0}, 0.0
    kept = list(members)
    while True:
        X = np.column_stack([np.concatenate([each.scores[name] for each in tested]) for name in kept])
        line = LogisticRegression(C=np.inf, max_iter=500).fit(X, y)
        against = int(np.argmin(line.coef_[0]))
        if len(kept) == 1 and line.coef_[0, 0] <= 0:
            # It says nothing of these rows, or less: its order stands, at the share that was bought.
            return {kept[0]: 1.0}, float(np.log(y.mean() / (1 - y.mean())) - X.mean())
        if line.coef_[0, against] > 0:
            weights = {name: float(weight) for name, weight in zip(kept, line.coef_[0], strict=True)}
            return weights, float(line.intercept_[0])
        kept.pop(against)


def _sum(period: Tested, weights: dict[str, float]) -> Floats:
    total = np.zeros(len(period.y))
    for name, weight in weights.items():
        total += weight * period.scores[name]
    return total


def _figures(tested: Sequence[Tested], scores: Sequence[Floats]) -> dict[str, float]:
    """Means over the periods that hold both classes; all 0 where none does."""
    pairs = [
        (average_precision_score(each.y, score), ndcg_by_list(each.y, score, each.group))
        for each, score in zip(tested, scores, strict=True)
        if each.y.min() != each.y.max()
    ]
    precision, ndcg = np.mean(pairs, axis=0) if pairs else (0.0, 0.0)
    value = (precision + ndcg) / 2
    return {"average_precision": float(precision), "ndcg_at_10": float(ndcg), "value": float(value)}


def ndcg_by_list(y: npt.NDArray[np.int8], score: Floats, group: npt.NDArray[np.int64]) -> float:
    """Mean NDCG@10 over the lists with a purchase among their candidates.

    Args:
        y, score, group: (n,) target, score and list of each row; ties stand in the order of the rows.
    """
    order = np.lexsort((-score, group))
    ordered, lists = y[order], group[order]
    starts = np.flatnonzero(np.diff(lists, prepend=lists[0] - 1))
    place = np.arange(len(lists)) - np.repeat(starts, np.diff(np.append(starts, len(lists))))
    gain = np.where(place < _LIST_LENGTH, ordered / np.log2(place + 2), 0.0)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(_LIST_LENGTH) + 2))])
    n_bought = np.add.reduceat(ordered.astype(np.int64), starts)
    bought = n_bought > 0
    return float(
        (np.add.reduceat(gain, starts)[bought] / ideal[np.minimum(n_bought[bought], _LIST_LENGTH)]).mean()
    )
