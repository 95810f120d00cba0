"""The steps of create_features."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from ibis.expr.types import Table

from create_features import core, core_sample, core_volume
from create_features.core import Bounds
from create_features.core_history import History, history_before, known_since
from create_features.core_volume import Forecast
from create_features.engine import hold
from create_features.parts import Known, Parts, key_of, made_of
from create_features.periods import Builder
from create_features.training import write_training
from sodai.data.catalog import (
    CUSTOMERS,
    FEATURES_STAGE,
    FORECASTS,
    PRODUCTS,
    SCORING,
    Dataset,
)
from sodai.data.periods import Period
from sodai.engines import Engine, EngineName
from sodai.engines.opening import open_engine
from sodai.errors import InputError
from sodai.runtime.limits import default_memory_limit_mib
from sodai.volume.transactions import transaction_partitions
from sodai.volume.volume import Volume

# retrain_model learns from two at least, and the newest is held out for evaluate_model.
MIN_PERIODS = 3


def run(
    volume: Volume,
    period: Period,
    *,
    training_periods: int,
    min_history_days: int,
    max_bought: int,
    n_popular: int,
    training_rows: int,
    memory_limit: int | None,
    engine: EngineName,
    spark_remote: str | None,
) -> dict[str, Any]:
    """Make candidate pairs and their 72 point-in-time features, for past periods and the one to come."""
    partitions = transaction_partitions(volume, period.as_of)
    bounds, parts = core.Bounds(max_bought, n_popular), Parts(volume, period.horizon_days)
    memory_mib = memory_limit or default_memory_limit_mib()
    with (
        volume.attempt(FEATURES_STAGE, period.as_of) as attempt,
        open_engine(engine, spark_remote, memory_mib, attempt.scratch("engine"), volume.root) as tables,
    ):
        history, customers, products = _sources(tables, volume, partitions, period.as_of)
        coming, *closed = forecasts = _forecasts(tables, history, period, training_periods, min_history_days)
        attempt.write(FORECASTS, core_volume.forecast_table(forecasts))
        learnt_from, halved = _learnt_from(tables, history, customers, bounds, len(closed), training_rows)
        builder = Builder(tables, history, customers, products, period, bounds)
        shared = made_of(bounds, halved, tables.version)
        known = _known(tables, customers, products, period.as_of)
        keys = {each: key_of(each, partitions, known, shared) for each in reversed(closed)}
        n_training = write_training(attempt, parts, builder, keys, learnt_from)
        n_scoring = attempt.write_batches(SCORING, builder.scoring(coming, customers))
    parts.prune()
    return {
        "training_rows": n_training.rows,
        "training_periods": [closed[-1].period.as_of.isoformat(), closed[0].period.as_of.isoformat()],
        "training_periods_reused": n_training.reused,
        "training_customers_share": 0.5**halved,
        "scoring_rows": n_scoring,
        "expected_pairs": round(coming.expected_pairs, 1),
    }


def _sources(
    engine: Engine, volume: Volume, partitions: Mapping[date, Path], as_of: date
) -> tuple[History, Table, Table]:
    """What all is computed from: the purchases of the week's customers, they, and its products.

    Who has left the table of customers is nowhere counted. Customers and products have known_days.
    """
    customers, products = (_checked(engine, volume, dataset, as_of) for dataset in (CUSTOMERS, PRODUCTS))
    transactions = engine.read_parquet(list(partitions.values())).semi_join(customers, "customer_id")
    history = history_before(transactions, as_of).held("days", engine.checkpoint)
    return (
        history,
        hold(engine, "known_customer_id", known_since(customers, "customer_id", history)),
        hold(engine, "known_product_id", known_since(products, "product_id", history)),
    )


def _checked(engine: Engine, volume: Volume, dataset: Dataset, as_of: date) -> Table:
    """The customers or products of the week."""
    # Read for the check of its contract alone; the engine reads the file itself.
    volume.read(dataset, as_of)
    return engine.read_parquet([volume.path(dataset, as_of)])


def _forecasts(
    engine: Engine, history: History, period: Period, wanted: int, min_history_days: int
) -> list[Forecast]:
    """The forecast of the period and of the closed ones to learn from, newest first."""
    by_day = core_volume.drop_old_stray_days(_frame(engine, core_volume.pairs_by_day(history)), period)
    first = period.as_of - timedelta(days=int(by_day["age_days"].max())) if len(by_day) else None
    past = core.training_periods(period, first, wanted, min_history_days) if first else []
    if len(past) < MIN_PERIODS:
        raise InputError(
            f"create_features: found {len(past)} closed periods before {period.as_of} with "
            f"{min_history_days} days of purchases before them, expected at least {MIN_PERIODS}; "
            "load older transactions, give a later --as-of or lower --min-history-days"
        )
    by_steps = _frame(engine, core_volume.pairs_by_period(history, period))
    return core_volume.forecasts_of(by_day, by_steps, period, past)


def _learnt_from(
    engine: Engine,
    history: History,
    customers: Table,
    bounds: Bounds,
    n_periods: int,
    training_rows: int,
) -> tuple[Table, int]:
    """The customers that give about `training_rows` rows to learn from, and how often they were halved."""
    most = core_sample.most_candidates(history, customers, bounds)
    [n_rows] = engine.to_pyarrow(engine.compile(most))["n"].to_pylist()
    halved = core_sample.halvings(n_rows * n_periods, training_rows)
    return hold(engine, "learnt_from", core_sample.sampled(customers, halved)), halved


def _known(engine: Engine, customers: Table, products: Table, as_of: date) -> Known:
    """The rows of customers and products, which stand in the key of every period."""
    ordered = (customers.order_by("customer_id"), products.order_by("product_id"))
    return Known(as_of, *(engine.to_pyarrow(engine.compile(rows)) for rows in ordered))


def _frame(engine: Engine, rows: Table) -> pd.DataFrame:
    return engine.to_pyarrow(engine.compile(rows)).to_pandas()
