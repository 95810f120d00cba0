"""Reads what the stages of one period left on the volume."""

import json
from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd
import pyarrow.compute as pc

from log_pipeline_metrics.core import (
    Record,
    WeekRecords,
    closed_periods,
    realised,
    together,
)
from sodai.data.catalog import (
    CUSTOMERS,
    DECISION,
    DRIFT_TABLE,
    EVALUATION,
    HISTORY,
    IMPORTANCE,
    LOAD,
    METRICS,
    PREDICTION_SUMMARY,
    PREDICTIONS,
    QUALITY,
    RECOMMENDATIONS,
    RETRAIN,
    STAGES,
    TRIALS,
    run_record,
    skip_record,
)
from sodai.data.periods import Period
from sodai.data.shard import Shard
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.past_predictions import read_past_predictions
from sodai.stage.inputs import newest_earlier
from sodai.volume.file_hashes import FileHashes
from sodai.volume.volume import Volume


def read_week(volume: Volume, as_of: date) -> WeekRecords:
    """The records of the stages that took part in the period's run.

    The branch that was not taken may have left its own from an earlier run: it is not read.

    Raises:
        VolumeError: a stage before this one has not run for the period.
    """
    decision = volume.read_json(DECISION, as_of)
    trained = decision["branch"] == RETRAIN
    took_part = [stage for stage in STAGES if stage not in (LOAD if trained else RETRAIN, METRICS)]
    return WeekRecords(
        as_of=as_of,
        decision=decision,
        quality=volume.read_json(QUALITY, as_of),
        evaluation=volume.read_json(EVALUATION, as_of),
        summary=volume.read_json(PREDICTION_SUMMARY, as_of),
        runs={stage: _run(volume, stage, as_of) for stage in took_part},
        skipped=[stage for stage in took_part if volume.exists(skip_record(stage), as_of)],
        importance=volume.read(IMPORTANCE, as_of).to_pylist(),
        drift=None if decision["drift_share"] is None else volume.read(DRIFT_TABLE, as_of).to_pylist(),
        trials=volume.read_json(TRIALS, as_of) if trained else None,
    )


def _run(volume: Volume, stage: str, as_of: date) -> Record:
    """The record of a stage's run, what its shards took included."""
    run = volume.read_json(run_record(stage), as_of)
    n_shards = run["result"].get("shards", 1)
    names = [Shard(number, n_shards).name for number in range(n_shards) if n_shards > 1]
    return together(run, [volume.read_json(run_record(stage, name), as_of) for name in names])


def read_history(volume: Volume) -> list[Record]:
    """The history so far; no rows before the first run."""
    return volume.read(HISTORY).to_pylist() if volume.exists(HISTORY) else []


def read_outcomes(volume: Volume, history: Sequence[Record], as_of: date) -> dict[date, Record]:
    """What the published predictions of the newest periods came to that were over by `as_of`.

    Purchases dated `as_of` or later are not read. A period keeps what the history says once N_EARLIER
    later ones were published, as does one whose predictions were removed from the volume: a line that
    comes later than that changes no figure any more.
    """
    outcomes: dict[date, Record] = {}
    published = newest_earlier(FileHashes(volume.root), PREDICTIONS, as_of)
    for start, end in closed_periods(history, as_of).items():
        if start in published:
            closed = ClosedPeriod.read(volume, Period(start, (end - start).days))
            outcomes[start] = realised(read_past_predictions(volume, start), closed.truth)
    return outcomes


def customers_with_lists(volume: Volume, as_of: date) -> pd.DataFrame:
    """customer_id, customer_type and expected (purchases on its list) of every customer with a list."""
    k = volume.read_json(PREDICTION_SUMMARY, as_of)["k"]
    listed = volume.read(
        PREDICTIONS, as_of, columns=["customer_id", "probability"], where=pc.field("rank") <= k
    )
    expected = listed.group_by("customer_id").aggregate([("probability", "sum")])
    types = volume.read(CUSTOMERS, as_of, columns=["customer_id", "customer_type"])
    found = expected.join(types, "customer_id").rename_columns({"probability_sum": "expected"})
    return found.to_pandas()


def lists_of(volume: Volume, as_of: date, customers: Collection[int]) -> dict[int, list[Record]]:
    """The lists of some customers in RECOMMENDATIONS, found line by line: all of them fill memory."""
    wanted = {f'"{customer}"': customer for customer in customers}
    found = {}
    with volume.existing(RECOMMENDATIONS, as_of).open(encoding="utf-8") as lines:
        for line in lines:
            name, _, products = line.partition(": ")
            if name in wanted:
                found[wanted[name]] = json.loads(products.rstrip().rstrip(","))
    return found
