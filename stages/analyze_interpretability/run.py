"""The steps of analyze_interpretability: explain recommendations and a sample of all candidates."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from analyze_interpretability.contributions import Contributions, explain
from analyze_interpretability.core_importance import feature_importance
from analyze_interpretability.core_page import shap_page
from analyze_interpretability.core_reasons import strongest_reasons
from analyze_interpretability.core_sample import candidates_per_customer, sample_candidates
from sodai.data.catalog import CUSTOMERS, IMPORTANCE, INTERPRET, PUBLISHED_MODEL, REASONS, SHAP_PAGE
from sodai.data.feature_catalog import FEATURES
from sodai.data.periods import Period
from sodai.model.scoring import count_candidates, score_candidates
from sodai.model.trained_model import load_model
from sodai.volume.sorted_tables import sorted_writer
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

# A third of them is explained, at about a millisecond a row: a line in the log every few seconds.
_BATCH_ROWS = 20_000


def run(volume: Volume, period: Period, *, k: int, max_rows: int, seed: int) -> dict[str, Any]:
    """Explain the published model, and give the reasons behind every recommendation."""
    day = period.as_of
    model = load_model(volume.path(PUBLISHED_MODEL, day))
    n_candidates = count_candidates(volume, day)
    n_customers = volume.read(CUSTOMERS, day, columns=["customer_id"]).num_rows
    per_customer = candidates_per_customer(n_candidates, n_customers, max_rows)
    sample = partial(sample_candidates, per_customer=per_customer, rng=np.random.default_rng(seed))
    samples, n_explained = [], 0
    with volume.attempt(INTERPRET, day) as attempt:
        batches = score_candidates(volume, day, model, batch_rows=_BATCH_ROWS)
        with sorted_writer(attempt.path(REASONS), REASONS.contract) as append_reasons:
            for recommended, sampled in explain(model, batches, k, sample):
                append_reasons(_to_reasons(recommended))
                samples.append(sampled)
                n_explained += len(recommended.pairs)
                log.info("%d of at most %d recommendations explained", n_explained, k * n_customers)
        sampled = Contributions.concatenate(samples)
        importance = feature_importance(sampled.of_features, FEATURES)
        counts = {
            "n_candidates": n_candidates,
            "n_customers": n_customers,
            "n_sampled": len(sampled.pairs),
            "gap": sampled.gap,
        }
        subtitle = f"week of {day} · model version {model.card['version']}"
        page = shap_page(subtitle, sampled.X, sampled.values, importance, counts, seed)
        attempt.write(IMPORTANCE, pa.Table.from_pandas(importance, IMPORTANCE.contract.schema))
        attempt.write_text(SHAP_PAGE, page)
    return {**counts, "n_explained": n_explained, "top_features": importance["feature"].head(5).tolist()}


def _to_reasons(recommended: Contributions) -> pa.Table:
    reasons = strongest_reasons(recommended.pairs, recommended.X, recommended.of_features, FEATURES)
    return pa.Table.from_pandas(reasons, REASONS.contract.schema).replace_schema_metadata(None)
