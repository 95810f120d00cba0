"""The inputs of log_pipeline_metrics: results of the stages, outcomes of earlier periods, and examples."""

import json
from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd
import pyarrow.compute as pc

from log_pipeline_metrics.core_examples import Example, example_of, product_name, typical_customers
from log_pipeline_metrics.core_history import closed_periods, realised_metrics
from log_pipeline_metrics.core_week import Record, WeekResults, combine_shards
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
    PRODUCTS,
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


def read_week(volume: Volume, as_of: date) -> WeekResults:
    """Return the results of the stages that took part in the run of a period.

    Raises:
        VolumeError: a stage before this one has not run for the period.
    """
    decision = volume.read_json(DECISION, as_of)
    trained = decision["branch"] == RETRAIN
    # Files of the other branch may be on the volume too, from an earlier run.
    stages = [stage for stage in STAGES if stage not in (LOAD if trained else RETRAIN, METRICS)]
    return WeekResults(
        as_of=as_of,
        decision=decision,
        quality=volume.read_json(QUALITY, as_of),
        evaluation=volume.read_json(EVALUATION, as_of),
        summary=volume.read_json(PREDICTION_SUMMARY, as_of),
        runs={stage: _read_run(volume, stage, as_of) for stage in stages},
        skipped=[stage for stage in stages if volume.exists(skip_record(stage), as_of)],
        importance=volume.read(IMPORTANCE, as_of).to_pylist(),
        drift=None if decision["drift_share"] is None else volume.read(DRIFT_TABLE, as_of).to_pylist(),
        trials=volume.read_json(TRIALS, as_of) if trained else None,
    )


def read_history(volume: Volume) -> list[Record]:
    """Return the rows of HISTORY; none before the first run."""
    return volume.read(HISTORY).to_pylist() if volume.exists(HISTORY) else []


def read_outcomes(volume: Volume, history: Sequence[Record], as_of: date) -> dict[date, Record]:
    """Return the outcomes of the newest periods with predictions that were over on `as_of`.

    Purchases on or after `as_of` are not read.
    """
    outcomes: dict[date, Record] = {}
    # Older periods, and those without predictions, keep the figures of the history: a line that arrives later
    # than N_EARLIER periods changes no figure.
    published = newest_earlier(FileHashes(volume.root), PREDICTIONS, as_of)
    for start, end in closed_periods(history, as_of).items():
        if start in published:
            closed = ClosedPeriod.read(volume, Period(start, (end - start).days))
            outcomes[start] = realised_metrics(read_past_predictions(volume, start), closed.truth)
    return outcomes


def read_examples(volume: Volume, as_of: date) -> list[Example]:
    """Return the list of a typical customer of each type, with the names of its products."""
    customers = typical_customers(read_customers_with_lists(volume, as_of))
    lists = _read_lists(volume, as_of, [each.customer_id for each in customers])
    listed = {item["product_id"] for products in lists.values() for item in products}
    products = volume.read(PRODUCTS, as_of).to_pylist()
    names = {each["product_id"]: product_name(each) for each in products if each["product_id"] in listed}
    return [example_of(each, lists[each.customer_id], names) for each in customers]


def read_customers_with_lists(volume: Volume, as_of: date) -> pd.DataFrame:
    """Return customer_id, customer_type, expected (purchases on its list) of every customer with a list."""
    k = volume.read_json(PREDICTION_SUMMARY, as_of)["k"]
    listed = volume.read(
        PREDICTIONS, as_of, columns=["customer_id", "probability"], where=pc.field("rank") <= k
    )
    expected = listed.group_by("customer_id").aggregate([("probability", "sum")])
    types = volume.read(CUSTOMERS, as_of, columns=["customer_id", "customer_type"])
    return expected.join(types, "customer_id").rename_columns({"probability_sum": "expected"}).to_pandas()


def _read_run(volume: Volume, stage: str, as_of: date) -> Record:
    run = volume.read_json(run_record(stage), as_of)
    n_shards = run["result"].get("shards", 1)
    names = [Shard(number, n_shards).name for number in range(n_shards) if n_shards > 1]
    return combine_shards(run, [volume.read_json(run_record(stage, name), as_of) for name in names])


def _read_lists(volume: Volume, as_of: date, customers: Collection[int]) -> dict[int, list[Record]]:
    # One line per customer: parsing the whole file would fill memory.
    wanted = {f'"{customer}"': customer for customer in customers}
    lists = {}
    with volume.existing(RECOMMENDATIONS, as_of).open(encoding="utf-8") as lines:
        for line in lines:
            name, _, products = line.partition(": ")
            if name in wanted:
                lists[wanted[name]] = json.loads(products.rstrip().rstrip(","))
    return lists
