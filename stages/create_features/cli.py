"""The command of create_features: warehouse in, training and scoring tables out."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
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
from sodai.datasets import CUSTOMERS, FEATURES_STAGE, FORECASTS, PRODUCTS, SCORING, TRAINING

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from create_features.core import Bounds, Sources
    from create_features.core_volume import Forecast
    from sodai.datasets import Dataset
    from sodai.volume import Volume

# retrain_model learns from two at least, and the newest is held out for evaluate_model.
MIN_PERIODS = 3

log = logging.getLogger("sodai")


@stage_command(FEATURES_STAGE)
def create_features(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    training_periods: Annotated[
        int,
        typer.Option(
            min=MIN_PERIODS, help="Closed periods to learn from; the newest is held out for evaluation."
        ),
    ] = 14,
    min_history_days: Annotated[
        int, typer.Option(min=1, help="Days of purchases that must lie before a training period.")
    ] = 56,
    max_bought: Annotated[
        int, typer.Option(min=1, help="Candidates of a customer that it bought before, at most.")
    ] = 200,
    n_popular: Annotated[
        int, typer.Option(min=1, help="Candidates of a customer that sell now to its type.")
    ] = 30,
    memory_limit: Annotated[
        int | None,
        typer.Option(
            min=100, help="MiB that DuckDB may hold before it spills to disk; 60 % of the memory there is."
        ),
    ] = None,
) -> dict[str, Any]:
    """Make candidate pairs and their 72 point-in-time features, for past periods and the one to come."""
    from create_features import core, core_volume
    from sodai.errors import InputError
    from sodai.periods import Period, parse_date
    from sodai.volume import Volume
    from sodai.warehouse import transaction_files

    volume, period = Volume(data), Period(parse_date(as_of), horizon_days)
    files = transaction_files(volume, period.as_of)
    with volume.attempt(FEATURES_STAGE, period.as_of) as attempt:
        spill = attempt.scratch("spill")
        connection = _connect(str(spill), memory_limit)
        hold = partial(_hold, connection)
        transactions = connection.read_parquet([str(file) for file in files])
        transactions = hold("seen", transactions.filter(transactions.purchase_date < period.as_of))
        sources = core.Sources(
            transactions,
            _checked(connection, volume, CUSTOMERS, period.as_of),
            _checked(connection, volume, PRODUCTS, period.as_of),
            hold,
        )
        first = connection.to_pyarrow(transactions.purchase_date.min()).as_py()
        past = core.training_periods(period, first, training_periods, min_history_days) if first else []
        if len(past) < MIN_PERIODS:
            raise InputError(
                f"create_features: found {len(past)} closed periods before {period.as_of} with "
                f"{min_history_days} days of purchases before them, expected at least {MIN_PERIODS}; "
                "load older transactions, give a later --as-of or lower --min-history-days"
            )
        coming, *closed = forecasts = core_volume.forecasts_of(
            connection.to_pyarrow(core_volume.pairs_by_day(transactions)).to_pandas(),
            connection.to_pyarrow(core_volume.pairs_by_period(transactions, period)).to_pandas(),
            period,
            past,
        )
        attempt.write(FORECASTS, core_volume.forecast_table(forecasts))
        bounds = core.Bounds(max_bought, n_popular)
        n_training = attempt.write_batches(TRAINING, _training(sources, closed, bounds, spill))
        n_scoring = attempt.write_batches(
            SCORING, _ordered(core.features_of(sources, coming, bounds), SCORING, spill)
        )
        connection.disconnect()
    return {
        "training_rows": n_training,
        "training_periods": [past[-1].as_of.isoformat(), past[0].as_of.isoformat()],
        "scoring_rows": n_scoring,
        "expected_pairs": round(coming.expected_pairs, 1),
    }


def _connect(spill: str, memory_limit: int | None) -> "Backend":
    import ibis

    from sodai.resources import available_cpus, default_memory_limit_mib

    return ibis.duckdb.connect(
        threads=available_cpus(),
        memory_limit=f"{memory_limit or default_memory_limit_mib()}MiB",
        temp_directory=spill,
        preserve_insertion_order=False,
    )


def _checked(connection: "Backend", volume: "Volume", dataset: "Dataset", as_of: "date") -> "Table":
    # Read for the check of its contract alone; the engine reads the file itself.
    volume.read(dataset, as_of)
    return connection.read_parquet(str(volume.path(dataset, as_of)))


def _hold(connection: "Backend", name: str, rows: "Table") -> "Table":
    # Ibis 12 writes a DROP that DuckDB 2.0 cannot read, so `overwrite` and `cache` are out of reach.
    connection.raw_sql(f'DROP TABLE IF EXISTS "{name}"')
    return connection.create_table(name, rows, temp=True)


def _training(
    sources: "Sources", past: "list[Forecast]", bounds: "Bounds", scratch: Path
) -> "Iterator[pa.RecordBatch]":
    from create_features.core import features_of, with_target

    for number, forecast in enumerate(reversed(past), start=1):
        closed = forecast.period
        rows = with_target(features_of(sources, forecast, bounds), sources.transactions, closed)
        yield from _ordered(rows.mutate(cutoff=closed.as_of), TRAINING, scratch)
        log.info("training period %s done, %d of %d", closed.as_of, number, len(past))


def _ordered(rows: "Table", dataset: "Dataset", scratch: Path) -> "Iterator[pa.RecordBatch]":
    """The rows in key order, through a file, so that only a batch of them is in memory."""
    import pyarrow.parquet as pq

    file = scratch / "rows.parquet"
    keyed = rows.select(dataset.contract.names).order_by(["customer_id", "product_id"])
    keyed.get_backend().to_parquet(keyed, str(file))
    yield from pq.ParquetFile(file).iter_batches()
