"""The command of generate_predictions: model and candidates in, the predictions of the period out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs

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


@stage_command(
    catalog.PREDICT,
    Inputs(
        (
            catalog.PUBLISHED_MODEL,
            catalog.SCORING,
            catalog.FORECASTS,
            catalog.CUSTOMERS,
            catalog.TRANSACTIONS,
            catalog.REASONS,
        )
    ),
)
def generate_predictions(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    horizon_days: options.HorizonDays = options.DEFAULT_HORIZON_DAYS,
    k: ListLength = 10,
    shards: NumberOfShards = 1,
    shard: ShardNumber = None,
    engine: options.WhichEngine = options.DEFAULT_ENGINE,
    spark_remote: options.SparkRemote = None,
) -> None:
    """Publish the probability of every candidate and the best products of every customer."""
