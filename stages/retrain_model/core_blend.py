"""The choice of a blend: the weights of its members and its calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from retrain_model.core_training_set import Floats, Fold, Indices, sample_groups
from sodai.evaluation.metrics import mean_ndcg_of_lists
from sodai.model.trained_model import TrainedModel, build_pipeline, fit_pipeline

# Weights of a further member that are tried, relative to the first and in standard deviations of each score.
_RELATIVE_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.6, 1.0)
# A smaller gain is noise on a few periods, and one member is simpler than three.
_SMALLEST_GAIN = 0.001
# More rows of a period take time and hardly change its metrics.
_MAX_ROWS = 150_000
_IDENTITY = {"slope": 1.0, "intercept": 0.0}


@dataclass(frozen=True)
class ScoredPeriod:
    """A closed period that the members have scored.

    Attributes:
        scores: member -> (n,) its score of each row.
        y, group: (n,) see `Rows`.
    """

    scores: dict[str, Floats]
    y: npt.NDArray[np.int8]
    group: Indices


@dataclass(frozen=True)
class Blend:
    """The chosen blend.

    Attributes:
        weights: member -> weight.
        calibration: slope and intercept from the weighted sum to log-odds.
        figures: each member, and the blend, -> average_precision, ndcg_at_10 and their mean, value.
    """

    weights: dict[str, float]
    calibration: dict[str, float]
    figures: dict[str, dict[str, float]]


def score_folds(
    folds: Sequence[Fold], params: dict[str, Any], seed: int, members: Sequence[str]
) -> list[ScoredPeriod]:
    """Return the tested period of each fold, scored by members that were fitted on its training rows."""
    scored = []
    for fold in folds:
        train = fold.train
        pipeline = build_pipeline(params, seed, dict.fromkeys(members, 1.0))
        model = TrainedModel(fit_pipeline(pipeline, train.X, train.y, train.weight, train.group), {})
        scores = model.blend.member_scores(model.encode(fold.valid.X))
        scored.append(ScoredPeriod(scores, fold.valid.y, fold.valid.group))
    return scored


def choose_blend(periods: Sequence[ScoredPeriod]) -> Blend:
    """Return the best blend of the members, or the best single member if no blend is better.

    Weights are tried on a grid. The blend is evaluated on each period with the weights that are best on the
    other periods, or on itself if it is the only one.
    """
    members = list(periods[0].scores)
    samples = [_sample(period) for period in periods if period.y.min() != period.y.max()]
    if not samples:
        zeros = dict.fromkeys(("average_precision", "ndcg_at_10", "value"), 0.0)
        return Blend({members[0]: 1.0}, _IDENTITY, dict.fromkeys(members, zeros))
    spreads = {name: _spread(periods, name) for name in members}
    mixtures = _mixtures(members)
    metrics = np.array(
        [[_metrics(sample, _scaled(mixture, spreads)) for mixture in mixtures] for sample in samples]
    )
    value = metrics.mean(axis=2)

    single = {name: mixtures.index({name: 1.0}) for name in members}
    figures = {name: _figures(metrics[:, position]) for name, position in single.items()}
    best = max(members, key=lambda name: figures[name]["value"])
    blends = [position for position, mixture in enumerate(mixtures) if len(mixture) > 1]
    if blends:
        figures["blend"] = _figures(metrics[np.arange(len(samples)), _best_on_others(value, blends)])
    if figures.get("blend", figures[best])["value"] < figures[best]["value"] + _SMALLEST_GAIN:
        return Blend({best: 1.0}, calibrate(periods, {best: 1.0}), figures)
    weights = _scaled(mixtures[blends[int(np.argmax(value[:, blends].mean(axis=0)))]], spreads)
    line = calibrate(periods, weights)
    # The slope goes into the weights, so that contributions are in log-odds.
    weights = {name: weight * line["slope"] for name, weight in weights.items()}
    return Blend(weights, {"slope": 1.0, "intercept": line["intercept"]}, figures)


def calibrate(periods: Sequence[ScoredPeriod], weights: Mapping[str, float]) -> dict[str, float]:
    """Return slope and intercept of the line from a weighted sum of scores to log-odds (Platt, 1999)."""
    # A curve of free form would copy the demand of a few periods.
    y = np.concatenate([period.y for period in periods])
    score = np.concatenate([_weighted_sum(period, weights) for period in periods])
    line = LogisticRegression(C=np.inf, max_iter=500).fit(score[:, None], y)
    slope, intercept = float(line.coef_[0, 0]), float(line.intercept_[0])
    if slope <= 0:
        # A sum that does not separate these rows keeps its order, at the share that was bought.
        slope, intercept = 1.0, float(np.log(y.mean() / (1 - y.mean())) - score.mean())
    return {"slope": slope, "intercept": intercept}


def _best_on_others(value: Floats, blends: Sequence[int]) -> list[int]:
    """Return for each period the column of `blends` that is best on the other periods.

    Args:
        value: (n periods, n mixtures).
        blends: columns of `value`.
    """
    n = len(value)
    on_others = (value.sum(axis=0) - value) / (n - 1) if n > 1 else value
    return [blends[int(position)] for position in on_others[:, blends].argmax(axis=1)]


def _mixtures(members: Sequence[str]) -> list[dict[str, float]]:
    """Return the first member with each weight of the others, and each other member alone; no weight is 0."""
    first, *others = members
    grid = [
        {first: 1.0, **{name: weight for name, weight in zip(others, weights, strict=True) if weight}}
        for weights in product(_RELATIVE_WEIGHTS, repeat=len(others))
    ]
    return [*grid, *({name: 1.0} for name in others)]


def _scaled(mixture: Mapping[str, float], spreads: Mapping[str, float]) -> dict[str, float]:
    return {name: weight / spreads[name] for name, weight in mixture.items()}


def _spread(periods: Sequence[ScoredPeriod], name: str) -> float:
    return float(np.std(np.concatenate([period.scores[name] for period in periods]))) or 1.0


def _sample(period: ScoredPeriod) -> ScoredPeriod:
    """Return a period with at most about _MAX_ROWS rows of both classes."""
    kept = sample_groups(period.group, _MAX_ROWS)
    if kept.all() or period.y[kept].min(initial=1) == period.y[kept].max(initial=0):
        return period
    scores = {name: score[kept] for name, score in period.scores.items()}
    return ScoredPeriod(scores, period.y[kept], period.group[kept])


def _weighted_sum(period: ScoredPeriod, weights: Mapping[str, float]) -> Floats:
    total = np.zeros(len(period.y))
    for name, weight in weights.items():
        total += weight * period.scores[name]
    return total


def _metrics(period: ScoredPeriod, weights: Mapping[str, float]) -> tuple[float, float]:
    """Return average precision and NDCG@10 of a weighted sum."""
    # Average precision is for the purchase set, NDCG@10 for the lists. A likelihood knows no lists, and left
    # out a ranker that improved them.
    score = _weighted_sum(period, weights)
    return float(average_precision_score(period.y, score)), mean_ndcg_of_lists(period.y, score, period.group)


def _figures(metrics: Floats) -> dict[str, float]:
    """Return the means over the periods of average precision and NDCG@10: (n periods, 2)."""
    precision, ndcg = metrics.mean(axis=0)
    value = (precision + ndcg) / 2
    return {"average_precision": float(precision), "ndcg_at_10": float(ndcg), "value": float(value)}
