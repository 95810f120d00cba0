"""The page that explains the model of a period."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap

from analyze_interpretability.core_importance import group_importance
from analyze_interpretability.core_plots import bar_plot, beeswarm_plot, dependence_plot
from sodai.data.feature_catalog import FEATURES
from sodai.report.pages import Bar, load_template, page
from sodai.report.svg import inline_svg

N_DEPENDENCE = 9


def shap_page(
    subtitle: str,
    X: pd.DataFrame,
    contributions: npt.NDArray[np.float64],
    importance: pd.DataFrame,
    counts: Mapping[str, Any],
    seed: int,
) -> str:
    """Return the page as HTML.

    Args:
        subtitle: week and model.
        X: (n, n_features) the sampled candidates.
        contributions: (n, n_features + 1) of the same rows, the base value last.
        importance: the columns of IMPORTANCE, the most important feature first.
        counts: n_sampled, n_candidates, n_customers, and `gap` from `check_additivity`.
        seed: of the jitter in the plots.
    """
    explanation = to_explanation(X, contributions)
    meanings = {feature.name: feature.meaning for feature in FEATURES}
    groups = group_importance(contributions[:, :-1], FEATURES)
    body = load_template(__package__, "shap.html.jinja").render(
        **counts,
        bar=inline_svg(bar_plot(importance), "importance by feature"),
        groups=[
            Bar(str(group), amount / (groups.max() or 1), f"{amount:.3f}") for group, amount in groups.items()
        ],
        beeswarm=inline_svg(beeswarm_plot(explanation, seed=seed), "contributions by feature"),
        dependence=[
            (feature, meanings[feature], _dependence_svg(explanation, X, feature, seed))
            for feature in importance["feature"].head(N_DEPENDENCE)
        ],
    )
    return page("Why the model recommends what it does", body, subtitle)


def to_explanation(X: pd.DataFrame, contributions: npt.NDArray[np.float64]) -> shap.Explanation:
    """Return LightGBM's contributions in the form that SHAP plots, with text features as category codes.

    Args:
        X: (n, n_features).
        contributions: (n, n_features + 1), the base value last.
    """
    numeric = {
        name: X[name] if X[name].dtype.kind == "f" else X[name].astype("category").cat.codes for name in X
    }
    return shap.Explanation(
        contributions[:, :-1],
        base_values=contributions[:, -1],
        data=pd.DataFrame(numeric).to_numpy(dtype=np.float64),
        feature_names=list(X.columns),
    )


def _dependence_svg(explanation: shap.Explanation, X: pd.DataFrame, feature: str, seed: int) -> str:
    column = X[feature]
    categories = [] if column.dtype.kind == "f" else list(column.astype("category").cat.categories)
    return inline_svg(dependence_plot(explanation, feature, categories, seed), f"dependence {feature}")
