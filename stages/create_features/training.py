"""The training table: a file a period, taken from earlier runs where nothing changed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq
from ibis.expr.types import Table

from create_features.core_volume import Forecast
from create_features.parts import Parts
from create_features.periods import Builder
from sodai.data.catalog import TRAINING
from sodai.volume.attempt import Attempt

log = logging.getLogger("sodai")


@dataclass(frozen=True)
class Written:
    """The rows of a training table, and how many of its periods were not computed anew."""

    rows: int
    reused: int


def write_training(
    attempt: Attempt, parts: Parts, builder: Builder, keys: Mapping[Forecast, str], customers: Table
) -> Written:
    """Write the training table, and keep what was computed for later runs.

    Args:
        keys: of each closed period, what `key_of` returns, oldest first.
        customers: a held table of those to learn from.
    """
    n_rows = n_reused = 0
    for number, (forecast, key) in enumerate(keys.items(), start=1):
        cutoff = forecast.period.as_of
        name = f"{cutoff}.parquet"
        target = attempt.path(TRAINING, name)
        reused = parts.copy(cutoff, key, target)
        if not reused:
            attempt.write_batches(TRAINING, builder.training(forecast, customers), name)
            parts.keep(cutoff, key, target)
        n_reused += reused
        n_rows += pq.read_metadata(target).num_rows
        how = "as an earlier run left it" if reused else "done"
        log.info("training period %s %s, %d of %d", cutoff, how, number, len(keys))
    return Written(n_rows, n_reused)
