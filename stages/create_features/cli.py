"""The command of create_features: warehouse in, training and scoring tables out."""

from typing import Annotated

import typer

from create_features.core_training_periods import MIN_PERIODS
from sodai.data.catalog import CUSTOMERS, FEATURES_STAGE, PRODUCTS, TRAINING_CACHE, TRANSACTIONS
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import (
    DEFAULT_DATA,
    DEFAULT_ENGINE,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    MemoryLimit,
    SparkRemote,
    WhichEngine,
)


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
        int, typer.Option(min=1, help="Days of purchases that a training period must have before it.")
    ] = 56,
    max_bought: Annotated[
        int, typer.Option(min=1, help="Most candidates of a customer among the products it bought before.")
    ] = 200,
    n_popular: Annotated[
        int, typer.Option(min=1, help="Candidates of a customer that sell now to its type.")
    ] = 30,
    training_rows: Annotated[
        int,
        typer.Option(min=1_000, help="Training rows, about; beyond them, whole customers are left out."),
    ] = 4_000_000,
    memory_limit: MemoryLimit = None,
    engine: WhichEngine = DEFAULT_ENGINE,
    spark_remote: SparkRemote = None,
) -> None:
    """Select candidate pairs and compute their 72 features, for past periods and the one to predict."""
