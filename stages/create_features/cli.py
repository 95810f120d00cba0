"""The command of create_features: warehouse in, training and scoring tables out."""

from typing import Annotated

import typer

from sodai.data.catalog import (
    CUSTOMERS,
    FEATURES_STAGE,
    PRODUCTS,
    TRAINING_CACHE,
    TRANSACTIONS,
)
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import (
    DEFAULT_DATA,
    DEFAULT_ENGINE,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    SparkRemote,
    WhichEngine,
)

# retrain_model learns from two at least, and the newest is held out for evaluate_model.
MIN_PERIODS = 3


@stage_command(FEATURES_STAGE, Inputs((TRANSACTIONS, CUSTOMERS, PRODUCTS), untracked=(TRAINING_CACHE,)))
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
    training_rows: Annotated[
        int,
        typer.Option(
            min=1_000, help="Training rows, about; where there are more, whole customers are left out."
        ),
    ] = 4_000_000,
    memory_limit: Annotated[
        int | None,
        typer.Option(
            metavar="MIB",
            min=100,
            help="MiB that DuckDB may hold before it spills to disk; 60 % of the memory there is.",
        ),
    ] = None,
    engine: WhichEngine = DEFAULT_ENGINE,
    spark_remote: SparkRemote = None,
) -> None:
    """Make candidate pairs and their 72 point-in-time features, for past periods and the one to come."""
