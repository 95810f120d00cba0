"""The command of analyze_interpretability: model and candidates in, reasons, importance and page out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs

ListLength = Annotated[
    int, typer.Option("--k", min=1, max=100, help="Recommendations for each customer that get reasons.")
]
MaxRows = Annotated[
    int,
    typer.Option("--max-rows", min=100, help="Candidates in the global figures, spread over all customers."),
]


@stage_command(
    catalog.INTERPRET,
    Inputs((catalog.PUBLISHED_MODEL, catalog.SCORING, catalog.FORECASTS, catalog.CUSTOMERS)),
)
def analyze_interpretability(
    as_of: options.AsOf,
    data: options.DataRoot = options.DEFAULT_DATA,
    k: ListLength = 10,
    max_rows: MaxRows = 5_000,
    seed: options.Seed = 0,
) -> None:
    """Explain the published model, and give the reasons behind every recommendation."""
