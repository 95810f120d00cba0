"""The steps of analyze_interpretability."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from analyze_interpretability import core, core_page
from analyze_interpretability.explained import Explained, explain
from sodai.data.catalog import (
    CUSTOMERS,
    IMPORTANCE,
    INTERPRET,
    PUBLISHED_MODEL,
    REASONS,
    SHAP_PAGE,
)
from sodai.data.feature_catalog import FEATURES
from sodai.data.periods import Period
from sodai.model.scoring import count_candidates, score_candidates
from sodai.model.trained_model import load_model
from sodai.volume.sorted_tables import sorted_writer
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

# A third of them is explained, at about a millisecond a row: a line in the log every few seconds.
_CANDIDATES_PER_STEP = 20_000


def run(volume: Volume, period: Period, *, k: int, max_rows: int, seed: int) -> dict[str, Any]:
    """Explain the published model, and give the reasons behind every recommendation."""
    day = period.as_of
    model = load_model(volume.path(PUBLISHED_MODEL, day))
    n_candidates = count_candidates(volume, day)
    n_customers = volume.read(CUSTOMERS, day, columns=["customer_id"]).num_rows
    of_each = core.drawn_of_each(n_candidates, n_customers, max_rows)
    draw = partial(core.sample, of_each=of_each, rng=np.random.default_rng(seed))
    samples, n_explained = [], 0
    with volume.attempt(INTERPRET, day) as attempt:
        pieces = score_candidates(volume, day, model, batch_rows=_CANDIDATES_PER_STEP)
        with sorted_writer(attempt.path(REASONS), REASONS.contract) as add_reasons:
            for lists, sample in explain(model, pieces, k, draw):
                add_reasons(_reasons(lists))
                samples.append(sample)
                n_explained += len(lists.pairs)
                log.info("%d of at most %d recommendations explained", n_explained, k * n_customers)
        sampled = Explained.together(samples)
        importance = core.importance(sampled.contributions[:, :-1], FEATURES)
        counts = {
            "n_candidates": n_candidates,
            "n_customers": n_customers,
            "n_sampled": len(sampled.pairs),
            "gap": sampled.gap,
        }
        note = f"week of {day} · model version {model.card['version']}"
        page = core_page.shap_page(note, sampled.X, sampled.contributions, importance, counts, seed)
        attempt.write(IMPORTANCE, pa.Table.from_pandas(importance, IMPORTANCE.contract.schema))
        attempt.write_text(SHAP_PAGE, page)
    return {
        **counts,
        "n_explained": n_explained,
        "top_features": importance["feature"].head(5).tolist(),
    }


def _reasons(rows: Explained) -> pa.Table:

    reasons = core.reasons(rows.pairs, rows.X, rows.contributions[:, :-1], FEATURES)
    return pa.Table.from_pandas(reasons, REASONS.contract.schema).replace_schema_metadata(None)
