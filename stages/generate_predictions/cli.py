"""The edge of generate_predictions: scores in bounded batches, publishes one folder for the period."""

import logging
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sodai.cli import (
    DEFAULT_DATA,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    stage_command,
)
from sodai.datasets import (
    CUSTOMERS,
    PREDICT,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    PUBLISHED_MODEL,
    REASONS,
    RECOMMENDATIONS,
)
from sodai.periods import parse_date

if TYPE_CHECKING:
    import pyarrow as pa

    from sodai.volume import Volume

log = logging.getLogger("sodai")

ListLength = Annotated[int, typer.Option("--k", min=1, max=100, help="Recommendations for each customer.")]


@stage_command(PREDICT)
def generate_predictions(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    k: ListLength = 10,
) -> dict[str, Any]:
    """Publish the probability of every candidate and the best products of every customer."""
    import pyarrow as pa

    from generate_predictions import core
    from sodai.forecasts import expected_volume
    from sodai.model import load_model
    from sodai.scoring import score_candidates
    from sodai.volume import Volume
    from sodai.warehouse import customers_with_history

    day, volume = parse_date(as_of), Volume(data)
    model = load_model(volume.path(PUBLISHED_MODEL, day))
    version = str(model.manifest["version"])
    missing_pairs = expected_volume(volume, day, day, model.manifest["missing_share"]).missing_pairs

    scores = score_candidates(volume, day, model)
    log.info("%d candidates scored with version %s", len(scores), version)
    predictions = core.predict(scores, day, version, missing_pairs)

    customers = volume.read(CUSTOMERS, day)["customer_id"].to_pylist()
    summary = core.summarize(predictions, customers, customers_with_history(volume, day), missing_pairs, k)
    if summary["short_lists"]:
        log.warning("%d customers have fewer than %d candidates", len(summary["short_lists"]), k)

    header = {"week": day.isoformat(), "horizon_days": horizon_days, "k": k, "model_version": version}
    reasons = _reasons(volume, day).to_pandas()
    index = core.recommendation_index(core.recommend(predictions, k), customers, reasons, header)
    with volume.attempt(PREDICT, day) as attempt:
        attempt.write(PREDICTIONS, pa.Table.from_pandas(predictions, PREDICTIONS.contract.schema))
        attempt.write_text(RECOMMENDATIONS, index)
        attempt.write_json(PREDICTION_SUMMARY, {"as_of": day, **header, **summary})
    return {**header, **{name: value for name, value in summary.items() if name != "short_lists"}}


def _reasons(volume: "Volume", day: date) -> "pa.Table":
    """The reasons of the week; lists are published without any where none were made."""
    if volume.exists(REASONS, day):
        return volume.read(REASONS, day)
    log.warning("no reasons for %s: run analyze_interpretability before for lists with reasons", day)
    return REASONS.contract.schema.empty_table()
