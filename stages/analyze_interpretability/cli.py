"""The edge of analyze_interpretability: reads model and candidates, writes reasons, importance, page."""

import logging
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sodai.cli import DEFAULT_DATA, AsOf, DataRoot, Seed, stage_command
from sodai.datasets import IMPORTANCE, INTERPRET, PUBLISHED_MODEL, REASONS, SCORING, SHAP_PAGE
from sodai.periods import parse_date

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from sodai.model import TrainedModel
    from sodai.volume import Volume

log = logging.getLogger("sodai")

# Contributions cost about a millisecond a row: a line in the log every few seconds.
_ROWS_PER_STEP = 5_000

ListLength = Annotated[
    int, typer.Option("--k", min=1, max=100, help="Recommendations for each customer that get reasons.")
]
MaxRows = Annotated[
    int,
    typer.Option("--max-rows", min=1, help="Candidates in the global figures, spread over all customers."),
]


@stage_command(INTERPRET)
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
    from sodai.features import FEATURES
    from sodai.model import features_frame, load_model
    from sodai.scoring import score_candidates
    from sodai.volume import Volume

    day, volume = parse_date(as_of), Volume(data)
    model = load_model(volume.path(PUBLISHED_MODEL, day))
    scores = score_candidates(volume, day, model)
    sampled = core.sample_pairs(scores, max_rows, np.random.default_rng(seed))
    recommended = scores[scores["rank"] <= k]

    candidates = _candidates(volume, day, scores.loc[sampled.index.union(recommended.index)])
    X = features_frame(candidates)
    contributions, gap = _contributions(model, X)
    pairs = candidates.select(["customer_id", "product_id"]).to_pandas()
    of_sample, of_lists = core.rows_of(pairs, sampled), core.rows_of(pairs, recommended)

    importance = core.importance(contributions[of_sample, :-1], FEATURES)
    reasons = core.reasons(pairs[of_lists], X[of_lists], contributions[of_lists, :-1], FEATURES)
    counts = {
        "n_candidates": len(scores),
        "n_customers": scores["customer_id"].nunique(),
        "n_sampled": len(sampled),
        "gap": gap,
    }
    note = f"week of {day} · model version {model.manifest['version']}"
    page = core_page.shap_page(note, X[of_sample], contributions[of_sample], importance, counts, seed)
    with volume.attempt(INTERPRET, day) as attempt:
        attempt.write(IMPORTANCE, pa.Table.from_pandas(importance, IMPORTANCE.contract.schema))
        attempt.write(REASONS, pa.Table.from_pandas(reasons, REASONS.contract.schema))
        attempt.write_text(SHAP_PAGE, page)
    return {
        **counts,
        "n_explained": len(recommended),
        "top_features": importance["feature"].head(5).tolist(),
    }


def _candidates(volume: "Volume", day: date, pairs: "pd.DataFrame") -> "pa.Table":
    """The rows of SCORING of the given pairs, in key order, read in pieces."""
    import pyarrow as pa

    from analyze_interpretability.core import rows_of
    from sodai.scoring import BATCH_ROWS

    kept = []
    for piece in volume.read_batches(SCORING, day, BATCH_ROWS):
        keys = piece.select(["customer_id", "product_id"]).to_pandas()
        kept.append(piece.filter(pa.array(rows_of(keys, pairs))))
    return pa.concat_tables(kept).sort_by([("customer_id", "ascending"), ("product_id", "ascending")])


def _contributions(model: "TrainedModel", X: "pd.DataFrame") -> "tuple[np.ndarray, float]":
    """Contributions of every row with the base value last, and their largest gap to the raw score."""
    import numpy as np

    from analyze_interpretability.core import check_additivity

    steps, gap = [], 0.0
    for start in range(0, len(X), _ROWS_PER_STEP):
        rows = X.iloc[start : start + _ROWS_PER_STEP]
        steps.append(model.contributions(rows))
        gap = max(gap, check_additivity(steps[-1], model.raw_score(rows)))
        log.info("%d of %d candidates explained", min(start + _ROWS_PER_STEP, len(X)), len(X))
    return np.concatenate(steps), gap
