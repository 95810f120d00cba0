"""The edge of analyze_interpretability: reads model and candidates, writes reasons, importance, page."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sodai.data.catalog import (
    CUSTOMERS,
    FORECASTS,
    IMPORTANCE,
    INTERPRET,
    PUBLISHED_MODEL,
    REASONS,
    SCORING,
    SHAP_PAGE,
)
from sodai.data.periods import parse_date
from sodai.stage.command import DEFAULT_DATA, AsOf, DataRoot, Seed, stage_command
from sodai.stage.inputs import Inputs

if TYPE_CHECKING:
    import pyarrow as pa

    from analyze_interpretability.explained import Explained

log = logging.getLogger("sodai")

# A third of them is explained, at about a millisecond a row: a line in the log every few seconds.
_CANDIDATES_PER_STEP = 20_000

ListLength = Annotated[
    int, typer.Option("--k", min=1, max=100, help="Recommendations for each customer that get reasons.")
]
MaxRows = Annotated[
    int,
    typer.Option("--max-rows", min=100, help="Candidates in the global figures, spread over all customers."),
]


@stage_command(INTERPRET, Inputs((PUBLISHED_MODEL, SCORING, FORECASTS, CUSTOMERS)))
def analyze_interpretability(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    k: ListLength = 10,
    max_rows: MaxRows = 5_000,
    seed: Seed = 0,
) -> dict[str, Any]:
    """Explain the published model, and give the reasons behind every recommendation."""
    import numpy as np
    import pyarrow as pa

    from analyze_interpretability import core, core_page
    from analyze_interpretability.explained import Explained, explain
    from sodai.data.feature_catalog import FEATURES
    from sodai.model.scoring import count_candidates, score_candidates
    from sodai.model.trained_model import load_model
    from sodai.volume.sorted_tables import sorted_writer
    from sodai.volume.volume import Volume

    day, volume = parse_date(as_of), Volume(data)
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


def _reasons(rows: "Explained") -> "pa.Table":
    import pyarrow as pa

    from analyze_interpretability import core
    from sodai.data.feature_catalog import FEATURES

    reasons = core.reasons(rows.pairs, rows.X, rows.contributions[:, :-1], FEATURES)
    return pa.Table.from_pandas(reasons, REASONS.contract.schema).replace_schema_metadata(None)
