"""The training table: one file for each period, restored from earlier runs where nothing changed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq
from ibis.expr.types import Table

from create_features.core_demand import DemandForecast
from create_features.feature_builder import FeatureBuilder
from create_features.training_cache import TrainingCache
from sodai.data.catalog import TRAINING
from sodai.volume.attempt import Attempt

log = logging.getLogger("sodai")


@dataclass(frozen=True)
class TrainingCounts:
    """The rows of a training table, and how many of its periods were restored from the cache."""

    rows: int
    reused_periods: int


def write_training(
    attempt: Attempt,
    cache: TrainingCache,
    builder: FeatureBuilder,
    keys: Mapping[DemandForecast, str],
    customers: Table,
) -> TrainingCounts:
    """Write the training table, and cache the periods that were computed.

    Args:
        keys: closed period -> `cache_key`, oldest first.
        customers: a materialized table of the customers to learn from.
    """
    n_rows = n_reused = 0
    for number, (forecast, key) in enumerate(keys.items(), start=1):
        cutoff = forecast.period.as_of
        name = f"{cutoff}.parquet"
        target = attempt.path(TRAINING, name)
        reused = cache.restore(cutoff, key, target)
        if not reused:
            attempt.write_batches(TRAINING, builder.training_rows(forecast, customers), name)
            cache.store(cutoff, key, target)
        n_reused += reused
        n_rows += pq.read_metadata(target).num_rows
        origin = "restored from the cache" if reused else "computed"
        log.info("training period %s %s, %d of %d", cutoff, origin, number, len(keys))
    return TrainingCounts(n_rows, n_reused)
