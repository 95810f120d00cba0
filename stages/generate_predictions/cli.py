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
    RECOMMENDATIONS,
)
from sodai.periods import parse_date

if TYPE_CHECKING:
    from generate_predictions.parts import Scores
    from sodai.forecasts import ExpectedVolume
    from sodai.model import TrainedModel
    from sodai.volume import Attempt, Volume

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
    from sodai.forecasts import expected_volume
    from sodai.model import load_model
    from sodai.volume import Volume

    day, volume = parse_date(as_of), Volume(data)
    model = load_model(volume.path(PUBLISHED_MODEL, day))
    expected = expected_volume(volume, day, day, model.manifest["missing_share"])
    header = {
        "week": day.isoformat(),
        "horizon_days": horizon_days,
        "k": k,
        "model_version": str(model.manifest["version"]),
    }
    with volume.attempt(PREDICT, day) as attempt:
        scores = _scores(volume, attempt, day, model)
        summary = _publish(volume, attempt, day, scores, expected, header)
    if summary["short_lists"]:
        log.warning("%d customers have fewer than %d candidates", len(summary["short_lists"]), k)
    return {**header, **{name: value for name, value in summary.items() if name != "short_lists"}}


def _scores(volume: "Volume", attempt: "Attempt", day: date, model: "TrainedModel") -> "Scores":
    from generate_predictions.parts import Scores, write_scores

    file = attempt.scratch("scores") / "scores.parquet"
    n_candidates = write_scores(file, volume, day, model)
    log.info("%d candidates scored with version %s", n_candidates, model.manifest["version"])
    return Scores([file])


def _publish(
    volume: "Volume",
    attempt: "Attempt",
    day: date,
    scores: "Scores",
    expected: "ExpectedVolume",
    header: dict[str, Any],
) -> dict[str, Any]:
    """Write what is published of the scores, customer by customer; gives the summary."""
    import numpy as np

    from generate_predictions import core
    from generate_predictions.lists import adding_lists, reasons_of
    from sodai.ordered import adding_rows
    from sodai.warehouse import customers_with_history

    outlook = core.Outlook.of(scores.log_odds, expected.candidate_pairs, expected.missing_pairs)
    customers = np.sort(volume.read(CUSTOMERS, day)["customer_id"].to_numpy())
    tally = core.Tally(customers, customers_with_history(volume, day), header["k"])
    index = attempt.path(RECOMMENDATIONS), customers, reasons_of(volume, day), header
    with (
        adding_rows(attempt.path(PREDICTIONS), PREDICTIONS.contract) as add_predictions,
        adding_lists(*index) as add_lists,
    ):
        for table in scores.tables():
            predictions = outlook.predictions(table, day, header["model_version"])
            add_predictions(predictions)
            add_lists(core.recommend(predictions, header["k"]))
            tally.add(predictions)
    summary = tally.summary(outlook.missing_pairs)
    attempt.write_json(PREDICTION_SUMMARY, {"as_of": day, **header, **summary})
    return summary
