"""The command of create_features: warehouse in, training and scoring tables out."""

from typing import Annotated

import typer

from create_features.core_training_periods import MIN_PERIODS
from sodai.data import catalog
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs


@stage_command(
    catalog.FEATURES_STAGE,
    Inputs((catalog.TRANSACTIONS, catalog.CUSTOMERS, catalog.PRODUCTS), untracked=(catalog.TRAINING_CACHE,)),
)
def create_features(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
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
    memory_limit: options.MemoryLimit = None,
    engine: options.WhichEngine = options.DEFAULT_ENGINE,
    spark_remote: options.SparkRemote = None,
) -> None:
    """Select candidate pairs and compute their 72 features, for past periods and the one to predict."""
