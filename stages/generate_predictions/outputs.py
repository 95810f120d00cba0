"""The outputs of generate_predictions: predictions, lists and their summary, in one pass over the scores."""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from generate_predictions.core_predictions import PeriodCalibration, PredictionSummary
from generate_predictions.core_recommendations import (
    CLOSING,
    SEPARATOR,
    Integers,
    format_customers,
    format_opening,
    recommend,
)
from generate_predictions.merge_cursor import MergeCursor
from generate_predictions.score_files import ScoreFiles
from sodai.data.catalog import CUSTOMERS, INTERPRET, PREDICTION_SUMMARY, PREDICTIONS, REASONS, RECOMMENDATIONS
from sodai.evaluation.expected_demand import ExpectedDemand
from sodai.runtime.concurrency import prefetch_map
from sodai.volume.attempt import Attempt
from sodai.volume.sorted_tables import read_sorted, sorted_writer
from sodai.volume.transactions import customers_with_history
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

Record = Mapping[str, Any]


def publish(
    volume: Volume, attempt: Attempt, day: date, scores: ScoreFiles, demand: ExpectedDemand, header: Record
) -> Record:
    """Write PREDICTIONS, RECOMMENDATIONS and PREDICTION_SUMMARY, and return the figures of the last."""
    log_odds = scores.log_odds(attempt.scratch("log_odds") / "log_odds")
    calibration = PeriodCalibration.fit(log_odds, demand.candidate_pairs, demand.missing_pairs)
    customers = np.sort(volume.read(CUSTOMERS, day, columns=["customer_id"])["customer_id"].to_numpy())
    summary = PredictionSummary(customers, customers_with_history(volume, day), header["k"])
    lists = attempt.path(RECOMMENDATIONS), customers, _read_reasons(volume, day), header
    with (
        sorted_writer(attempt.path(PREDICTIONS), PREDICTIONS.contract) as append_predictions,
        list_writer(*lists) as append_lists,
        ThreadPoolExecutor(1) as writer,
    ):
        predict = partial(calibration.predict, week=day, model_version=header["model_version"])
        for predictions in prefetch_map(predict, scores.tables()):
            written = writer.submit(append_predictions, predictions)
            best = recommend(predictions, header["k"])
            append_lists(best)
            summary.add(predictions, best)
            written.result()
    figures = summary.to_record(calibration.missing_pairs)
    attempt.write_json(PREDICTION_SUMMARY, {"as_of": day, **header, **figures})
    return figures


@contextmanager
def list_writer(
    file: Path, customers: Integers, reasons: MergeCursor, header: Record
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends the lists of the next customers, in order, to RECOMMENDATIONS.

    Args:
        file: a private path of an attempt.
        customers: ordered customer_id of everyone who is in the file, with an empty list if need be.
        reasons: of the recommended products.
        header: the keys before the lists.
    """
    pending, separator = customers, b""
    with file.open("wb") as stream:

        def append(best: pa.Table, last: int) -> None:
            nonlocal pending, separator
            end = int(np.searchsorted(pending, last, side="right"))
            ready = np.union1d(pending[:end], best["customer_id"].to_numpy())
            pending = pending[end:]
            if len(ready):
                stream.write(separator)
                stream.write(format_customers(best, reasons.up_to(last), ready))
                separator = SEPARATOR

        stream.write(format_opening(header))
        yield lambda best: append(best, best["customer_id"][-1].as_py())
        if len(pending):
            append(PREDICTIONS.contract.schema.empty_table(), int(pending[-1]))
        stream.write(CLOSING)


def _read_reasons(volume: Volume, day: date) -> MergeCursor:
    """Return a cursor over the reasons of the period, or over no rows if there are none."""
    batches: Iterator[pa.Table] = iter(())
    if volume.exists(REASONS, day):
        batches = read_sorted([volume.path(REASONS, day)], REASONS.contract, INTERPRET)
    else:
        log.warning(
            "no reasons for %s: publishing lists without them; run %s first to add them", day, INTERPRET
        )
    return MergeCursor(batches, REASONS.contract.schema)
