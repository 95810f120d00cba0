"""The reasons behind a recommendation, in the words of the feature catalogue."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sodai.data.catalog import PAIR
from sodai.data.feature_catalog import Feature

N_REASONS = 3


def strongest_reasons(
    pairs: pd.DataFrame,
    X: pd.DataFrame,
    contributions: npt.NDArray[np.float64],
    features: Sequence[Feature],
) -> pd.DataFrame:
    """Return the columns of REASONS: the features with the largest absolute contribution to each pair.

    Args:
        pairs: (n) customer_id, product_id.
        X: (n, n_features) features of the pairs.
        contributions: (n, n_features) without the base value.
        features: the catalogue, in the order of the columns of `X`.
    """
    top = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :N_REASONS]
    cells, rows = X.to_numpy(dtype=object), np.arange(len(pairs))
    tables = []
    for position, columns in enumerate(top.T, start=1):
        values, amounts = cells[rows, columns], contributions[rows, columns]
        chosen = [features[column] for column in columns]
        tables.append(
            pairs[PAIR].assign(
                position=position,
                feature=[feature.name for feature in chosen],
                value=pd.Series([format_value(value) for value in values], pairs.index, dtype="string"),
                contribution=amounts,
                direction=np.where(amounts >= 0, "raises", "lowers"),
                phrase=[phrase(feature, value) for feature, value in zip(chosen, values, strict=True)],
            )
        )
    return pd.concat(tables).sort_values([*PAIR, "position"], ignore_index=True)


def phrase(feature: Feature, value: float | str | None) -> str:
    """Return meaning and value of a feature, `weeks with the product among the last eight: 7` for example.

    The unit follows if the meaning does not name it.
    """
    text = format_value(value)
    if text is None:
        return f"{feature.meaning}: {feature.null_means}"
    names_unit = feature.unit == "ratio" or feature.unit in feature.meaning.split()
    return (
        f"{feature.meaning}: {text}" if names_unit else f"{feature.meaning}: {text} {feature.unit}".rstrip()
    )


def format_value(value: float | str | None) -> str | None:
    """Return a number with three significant digits, a text unchanged, None for null and empty text."""
    # A category that the business leaves empty comes to the model as empty text.
    if value is None or isinstance(value, str):
        return value or None
    return None if np.isnan(value) else f"{value:.3g}"
