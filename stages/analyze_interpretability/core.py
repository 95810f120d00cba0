"""Which pairs are explained, what their contributions say, and the words for it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sodai.errors import ModelError
from sodai.features import Feature

Floats = npt.NDArray[np.float64]

N_REASONS = 3
_PAIR = ["customer_id", "product_id"]
# LightGBM adds the trees in double precision; a wrong or shuffled feature is off by far more.
_TOLERANCE = 1e-6


def sample_pairs(pairs: pd.DataFrame, max_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """The candidates that stand for all customers in the global figures.

    All of them where there are at most `max_rows`. Otherwise every customer gives the same number,
    `max_rows` / customers and at least one, drawn at random, so that no customer speaks louder for
    having more candidates.

    Args:
        pairs: customer_id, product_id in key order.
        max_rows: largest sample, as long as there are no more customers than that.
        rng: where the draw comes from.

    Returns:
        The drawn rows of `pairs`, in key order.
    """
    if len(pairs) <= max_rows:
        return pairs
    each = max(1, max_rows // pairs["customer_id"].nunique())
    drawn = pairs.assign(lot=rng.random(len(pairs))).sort_values(["customer_id", "lot"])
    return drawn.groupby("customer_id").head(each).sort_values(_PAIR)[_PAIR]


def rows_of(pairs: pd.DataFrame, wanted: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """(n,) mask of the rows of `pairs` whose customer_id and product_id stand in `wanted` too."""
    return np.asarray(pd.MultiIndex.from_frame(pairs[_PAIR]).isin(pd.MultiIndex.from_frame(wanted[_PAIR])))


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
            pairs[_PAIR].assign(
                position=position,
                feature=[feature.name for feature in named],
                value=pd.Series([value_text(value) for value in values], pairs.index, dtype="string"),
                contribution=amount,
                direction=np.where(amount >= 0, "raises", "lowers"),
                phrase=[phrase(feature, value) for feature, value in zip(named, values, strict=True)],
            )
        )
    return pd.concat(pieces).sort_values([*_PAIR, "position"], ignore_index=True)


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
    """A feature's value with three significant digits, text as it is, None where it is null."""
    if value is None or isinstance(value, str):
        return value
    return None if np.isnan(value) else f"{value:.3g}"
