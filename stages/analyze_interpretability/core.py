"""Which pairs are explained, what their contributions say, and the words for it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sodai.data.catalog import PAIR
from sodai.data.customer_groups import group_starts, rank_within_customer
from sodai.data.feature_catalog import Feature
from sodai.errors import ModelError

Floats = npt.NDArray[np.float64]

N_REASONS = 3
# LightGBM adds the trees in double precision; a wrong or shuffled feature is off by far more.
_TOLERANCE = 1e-6


def drawn_of_each(n_candidates: int, n_customers: int, max_rows: int) -> float:
    """How many candidates of each customer stand for all in the global figures.

    All of them (infinity) where there are at most `max_rows` candidates. Otherwise every customer
    gives the same number, so that none speaks louder for having more candidates; less than 1 is the
    share of the customers that give one.
    """
    if n_candidates <= max_rows:
        return float("inf")
    return max_rows // n_customers or max_rows / n_customers


def sample(
    customer_id: npt.NDArray[np.int64], of_each: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """(n,) mask of the candidates that are drawn at random for the global figures.

    Args:
        customer_id: (n,) of whole customers, in order.
        of_each: as from `drawn_of_each`.
        rng: where the draw comes from.
    """
    lots = rng.random(len(customer_id))
    drawn = rank_within_customer(customer_id, lots, -lots) <= max(1.0, of_each)
    if of_each < 1:
        starts = group_starts(customer_id)
        gives = rng.random(len(starts)) < of_each
        drawn &= np.repeat(gives, np.diff(starts, append=len(customer_id)))
    return np.asarray(drawn)


def check_additivity(contributions: Floats, raw_score: Floats) -> float:
    """The largest gap between the sum of a row's contributions and its raw score, in log-odds.

    Args:
        contributions: (n, n_features + 1), the last column the base value.
        raw_score: (n,) log-odds before calibration.

    Raises:
        ModelError: a gap that is more than rounding: the contributions explain another model.
    """
    gap = float(np.abs(contributions.sum(axis=1) - raw_score).max(initial=0.0))
    if gap > _TOLERANCE * max(1.0, float(np.abs(raw_score).max(initial=0.0))):
        raise ModelError(
            f"contributions miss the model's raw score by up to {gap:.3g} log-odds, expected less than "
            f"{_TOLERANCE:g}; the model folder is damaged: run evaluate_model again"
        )
    return gap


def importance(contributions: Floats, features: Sequence[Feature]) -> pd.DataFrame:
    """The columns of IMPORTANCE, the most important feature first.

    Args:
        contributions: (n, n_features) without the base value, columns in the order of `features`.
        features: the catalogue.
    """
    mean_abs = np.abs(contributions).mean(axis=0)
    table = pd.DataFrame(
        {
            "feature": [feature.name for feature in features],
            "group": [feature.group for feature in features],
            "mean_abs_contribution": mean_abs,
            "share": mean_abs / mean_abs.sum() if mean_abs.sum() else mean_abs,
        }
    )
    return table.sort_values(["mean_abs_contribution", "feature"], ascending=[False, True], ignore_index=True)


def group_importance(contributions: Floats, features: Sequence[Feature]) -> pd.Series:
    """Mean absolute contribution of each feature group, the largest first, in log-odds.

    Contributions are summed within a row and group before the absolute value, so features of one
    group that cancel each other do not count twice.
    """
    groups = np.array([feature.group for feature in features])
    means = {
        group: float(np.abs(contributions[:, groups == group].sum(axis=1)).mean())
        for group in sorted(set(groups))
    }
    return pd.Series(means, name="mean_abs_contribution").sort_values(ascending=False, kind="stable")


def reasons(
    pairs: pd.DataFrame, X: pd.DataFrame, contributions: Floats, features: Sequence[Feature]
) -> pd.DataFrame:
    """The columns of REASONS: the features with the largest absolute contribution to each pair.

    Args:
        pairs: (n,) customer_id, product_id.
        X: (n, n_features) what the model was given.
        contributions: (n, n_features) without the base value.
        features: the catalogue, in the order of the columns of `X`.
    """
    top = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :N_REASONS]
    cells, rows = X.to_numpy(dtype=object), np.arange(len(pairs))
    pieces = []
    for position, chosen in enumerate(top.T, start=1):
        values, amount = cells[rows, chosen], contributions[rows, chosen]
        named = [features[column] for column in chosen]
        pieces.append(
            pairs[PAIR].assign(
                position=position,
                feature=[feature.name for feature in named],
                value=pd.Series([value_text(value) for value in values], pairs.index, dtype="string"),
                contribution=amount,
                direction=np.where(amount >= 0, "raises", "lowers"),
                phrase=[phrase(feature, value) for feature, value in zip(named, values, strict=True)],
            )
        )
    return pd.concat(pieces).sort_values([*PAIR, "position"], ignore_index=True)


def phrase(feature: Feature, value: float | str | None) -> str:
    """A feature and its value in the words of the catalogue.

    For example `weeks with the product among the last eight: 7`; the unit follows where the meaning
    does not name it.
    """
    text = value_text(value)
    if text is None:
        return f"{feature.meaning}: {feature.null_means}"
    is_told = feature.unit == "ratio" or feature.unit in feature.meaning.split()
    return f"{feature.meaning}: {text}" if is_told else f"{feature.meaning}: {text} {feature.unit}".rstrip()


def value_text(value: float | str | None) -> str | None:
    """A feature's value with three significant digits, text as it is, None where it is null.

    The empty text is null too: a category that the business does not give comes to the model as that.
    """
    if value is None or isinstance(value, str):
        return value or None
    return None if np.isnan(value) else f"{value:.3g}"
