"""The inputs of a run in its engine: purchases, customers, products, and what is computed once from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from ibis.expr.types import Table

from create_features import core_demand, core_sample
from create_features.core_candidates import Bounds
from create_features.core_demand import DemandForecast
from create_features.core_history import History, add_known_days, build_history
from create_features.core_training_periods import MIN_PERIODS, select_training_periods
from create_features.prepared_queries import materialize
from create_features.training_cache import EntityTables
from sodai.data.catalog import CUSTOMERS, PRODUCTS, Dataset
from sodai.data.periods import Period
from sodai.engines import Engine
from sodai.errors import InputError
from sodai.volume.volume import Volume


@dataclass(frozen=True)
class RunInputs:
    """The purchases of the week's customers, these customers, and the week's products.

    Customers and products have known_days, see `add_known_days`.
    """

    history: History
    customers: Table
    products: Table


def read_inputs(engine: Engine, volume: Volume, partitions: Mapping[date, Path], as_of: date) -> RunInputs:
    """Read the purchases before `as_of`, the customers and the products into the engine.

    Customers missing from the customer table are excluded, with their purchases.

    Args:
        partitions: transactions of the warehouse by Monday.
    """
    customers, products = (_read_checked(engine, volume, dataset, as_of) for dataset in (CUSTOMERS, PRODUCTS))
    transactions = engine.read_parquet(list(partitions.values())).semi_join(customers, "customer_id")
    history = build_history(transactions, as_of).materialize("days", engine.checkpoint)
    return RunInputs(
        history,
        materialize(engine, "known_customer_id", add_known_days(customers, "customer_id", history)),
        materialize(engine, "known_product_id", add_known_days(products, "product_id", history)),
    )


def read_entities(engine: Engine, inputs: RunInputs, as_of: date) -> EntityTables:
    """Return customers and products in this process, for the keys of the cache."""
    ordered = inputs.customers.order_by("customer_id"), inputs.products.order_by("product_id")
    return EntityTables(as_of, *(engine.to_pyarrow(engine.compile(rows)) for rows in ordered))


def forecast_periods(
    engine: Engine, history: History, period: Period, n_periods: int, min_history_days: int
) -> list[DemandForecast]:
    """Forecast the demand of the period and of the closed ones to learn from, newest first.

    Raises:
        InputError: fewer than MIN_PERIODS closed periods have enough history.
    """
    by_day = _to_frame(engine, core_demand.count_pairs_by_day(history))
    by_day = core_demand.drop_old_stray_days(by_day, period)
    closed: list[Period] = []
    if len(by_day):
        first = period.as_of - timedelta(days=int(by_day["age_days"].max()))
        closed = select_training_periods(period, first, n_periods, min_history_days)
    if len(closed) < MIN_PERIODS:
        raise InputError(
            f"create_features: found {len(closed)} closed periods before {period.as_of} with "
            f"{min_history_days} days of purchases before them, expected at least {MIN_PERIODS}; "
            "load older transactions, give a later --as-of or lower --min-history-days"
        )
    by_steps = _to_frame(engine, core_demand.count_pairs_by_period(history, period))
    return core_demand.forecast_periods(by_day, by_steps, period, closed)


def sample_customers(
    engine: Engine, inputs: RunInputs, bounds: Bounds, n_periods: int, max_rows: int
) -> tuple[Table, int]:
    """Return the customers to learn from, about `max_rows` training rows, and how often they were halved."""
    count = core_sample.count_candidates(inputs.history, inputs.customers, bounds)
    [n_candidates] = engine.to_pyarrow(engine.compile(count))["n"].to_pylist()
    halvings = core_sample.count_halvings(n_candidates * n_periods, max_rows)
    sample = core_sample.sample_customers(inputs.customers, halvings)
    return materialize(engine, "training_customers", sample), halvings


def _read_checked(engine: Engine, volume: Volume, dataset: Dataset, as_of: date) -> Table:
    # Read only to check the contract; the engine reads the file itself.
    volume.read(dataset, as_of)
    return engine.read_parquet([volume.path(dataset, as_of)])


def _to_frame(engine: Engine, rows: Table) -> pd.DataFrame:
    return engine.to_pyarrow(engine.compile(rows)).to_pandas()
