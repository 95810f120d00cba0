"""The page that explains the model of a period."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap

from analyze_interpretability import core, core_plots
from sodai.data.feature_catalog import FEATURES
from sodai.report.pages import Bar, environment, page
from sodai.report.svg import inline_svg

N_DEPENDENCE = 9

_BODY = environment.from_string("""
<nav><a href="index.html">The run</a><a href="drift.html">Drift</a><a href="quality.html">Quality</a></nav>
<section>
<h2>What moves the model</h2>
<p>Mean absolute contribution to the log-odds of a purchase, over {{ "{:,}".format(n_sampled) }} of
{{ "{:,}".format(n_candidates) }} candidates of {{ "{:,}".format(n_customers) }} customers
{%- if n_sampled < n_customers %}, one of each that was drawn
{%- elif n_sampled < n_candidates %}, the same number drawn from each{% endif %}. Contributions are LightGBM's
exact SHAP values: with the base value they add up to the raw score of every row (largest gap
{{ "%.0e"|format(gap) }}).</p>
<div class="grid">
{{ ui.plot("By feature", bar) }}
<div><h3>By group of features</h3>{{ ui.bars(groups) }}
<p class="soft small">Contributions are added up within a group before they are averaged, so features that
cancel each other count once.</p></div>
</div>
</section>
<section>
<h2>Direction</h2>
<p>One dot a candidate. Right of zero raises the probability of a purchase, left lowers it; red is a high
value of the feature, blue a low one, grey a value that is not there.</p>
{{ beeswarm }}
</section>
<section>
<h2>How the strongest features act</h2>
<p>Contribution against value. The grey hills show how many candidates have it.</p>
<div class="grid">
{% for feature, meaning, plot in dependence %}
<div>{{ ui.plot(feature, plot) }}<p class="soft small">{{ meaning }}</p></div>
{% endfor %}
</div>
</section>
""")


def shap_page(
    title_note: str,
    X: pd.DataFrame,
    contributions: npt.NDArray[np.float64],
    importance: pd.DataFrame,
    counts: Mapping[str, Any],
    seed: int,
) -> str:
    """The whole page as HTML.

    Args:
        title_note: week and model, for the line below the title.
        X: (n, n_features) the sampled candidates.
        contributions: (n, n_features + 1) of the same rows, the last column the base value.
        importance: the columns of IMPORTANCE, the most important first.
        counts: n_sampled, n_candidates, n_customers and the largest gap of additivity as `gap`.
        seed: of the jitter in the plots.
    """
    explanation = explain(X, contributions)
    meanings = {feature.name: feature.meaning for feature in FEATURES}
    groups = core.group_importance(contributions[:, :-1], FEATURES)
    body = _BODY.render(
        **counts,
        bar=inline_svg(core_plots.bar_plot(importance), "importance by feature"),
        groups=[
            Bar(str(group), amount / (groups.max() or 1), f"{amount:.3f}") for group, amount in groups.items()
        ],
        beeswarm=inline_svg(core_plots.beeswarm_plot(explanation, seed=seed), "contributions by feature"),
        dependence=[
            (feature, meanings[feature], _dependence(explanation, X, feature, seed))
            for feature in importance["feature"].head(N_DEPENDENCE)
        ],
    )
    return page("Why the model recommends what it does", body, title_note)


def explain(X: pd.DataFrame, contributions: npt.NDArray[np.float64]) -> shap.Explanation:
    """LightGBM's contributions as SHAP's plots want them, text features as the codes of their values.

    Args:
        X: (n, n_features).
        contributions: (n, n_features + 1), the last column the base value.
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


def _dependence(explanation: shap.Explanation, X: pd.DataFrame, feature: str, seed: int) -> str:
    column = X[feature]
    categories = [] if column.dtype.kind == "f" else list(column.astype("category").cat.categories)
    figure = core_plots.dependence_plot(explanation, feature, categories, seed)
    return inline_svg(figure, f"dependence {feature}")
