"""The command of generate_predictions: model and candidates in, the predictions of the period out."""

from typing import Annotated

import typer

from sodai.data.catalog import CUSTOMERS, FORECASTS, PREDICT, PUBLISHED_MODEL, REASONS, SCORING, TRANSACTIONS
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

ListLength = Annotated[int, typer.Option("--k", min=1, max=100, help="Recommendations for each customer.")]
NumberOfShards = Annotated[
    int, typer.Option("--shards", min=1, max=1000, help="Shards that the customers are split into.")
]
ShardNumber = Annotated[
    int | None,
    typer.Option(
        "--shard",
        min=0,
        help="Score this shard only (0 is the first) and publish nothing; a run without it joins the shards.",
    ),
]


@stage_command(PREDICT, Inputs((PUBLISHED_MODEL, SCORING, FORECASTS, CUSTOMERS, TRANSACTIONS, REASONS)))
def generate_predictions(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    k: ListLength = 10,
    shards: NumberOfShards = 1,
    shard: ShardNumber = None,
    engine: WhichEngine = DEFAULT_ENGINE,
    spark_remote: SparkRemote = None,
) -> None:
    """Publish the probability of every candidate and the best products of every customer."""
