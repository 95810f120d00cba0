"""The page that explains the model of a period."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
from markupsafe import Markup

from analyze_interpretability import core, core_plots
from sodai.features import FEATURES
from sodai.pages import environment, inline_svg, page

N_DEPENDENCE = 6

_BODY = environment.from_string("""
<section>
<h2>What moves the model</h2>
<p>Mean absolute contribution to the log-odds of a purchase, over {{ n_sampled }} of {{ n_candidates }}
candidates of {{ n_customers }} customers{% if n_sampled < n_candidates %}, the same number drawn from each{% endif %}.
Contributions are LightGBM's exact SHAP values: with the base value they add up to the raw score of every row
(largest gap {{ "%.1e"|format(gap) }}).</p>
{{ bar }}
</section>
<section>
<h2>By group</h2>
<div class="scroll"><table>
<tr><th>group</th><th class="number">mean |contribution|, log-odds</th></tr>
{% for group, amount in groups.items() %}
<tr><td>{{ group }}</td><td class="number">{{ "%.3f"|format(amount) }}</td></tr>
{% endfor %}
</table></div>
</section>
<section>
<h2>Direction</h2>
<p>One dot a candidate: right of zero raises the probability, left lowers it.</p>
{{ beeswarm }}
</section>
<section>
<h2>How the strongest features act</h2>
{% for feature, meaning, plot in dependence %}
<h3>{{ feature }}</h3><p class="soft">{{ meaning }}</p>{{ plot }}
{% endfor %}
</section>
""")


def shap_page(
    as_of: date,
    scores: pd.DataFrame,
    sampled: pd.DataFrame,
    X: pd.DataFrame,
    contributions: npt.NDArray[np.float64],
    importance: pd.DataFrame,
    gap: float,
    seed: int,
) -> str:
    """The whole page as HTML."""
    explanation = explain(X, contributions)
    top = importance["feature"].head(N_DEPENDENCE)
    meanings = {feature.name: feature.meaning for feature in FEATURES}
    body = _BODY.render(
        n_sampled=len(sampled),
        n_candidates=len(scores),
        n_customers=scores["customer_id"].nunique(),
        gap=gap,
        bar=Markup(inline_svg(core_plots.bar_plot(importance), "importance by feature")),
        groups=core.group_importance(contributions[:, :-1], FEATURES).to_dict(),
        beeswarm=Markup(
            inline_svg(core_plots.beeswarm_plot(explanation, seed=seed), "contributions by feature")
        ),
        dependence=[
            (
                feature,
                meanings[feature],
                Markup(
                    inline_svg(
                        core_plots.dependence_plot(explanation, feature, seed), f"dependence {feature}"
                    )
                ),
            )
            for feature in top
        ],
    )
    return page(f"Why the model recommends what it does, week of {as_of}", body)


def explain(X: pd.DataFrame, contributions: npt.NDArray[np.float64]) -> shap.Explanation:
    """LightGBM's contributions as SHAP's plots want them, text features as the codes of their values.

    Args:
        X: (n, n_features).
        contributions: (n, n_features + 1), the last column the base value.
    """
    numeric = X.apply(
        lambda column: column if column.dtype.kind == "f" else column.astype("category").cat.codes
    )
    return shap.Explanation(
        contributions[:, :-1],
        base_values=contributions[:, -1],
        data=numeric.to_numpy(dtype=np.float64),
        feature_names=list(X.columns),
    )
