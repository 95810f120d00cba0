"""The command of extract_and_validate_data: raw files in, warehouse and quality report out."""

from typing import Annotated

import typer

from sodai.data import catalog
from sodai.stage import options
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs

AsOfOrAuto = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="First day to predict, YYYY-MM-DD; exclusive. auto: the day after the newest purchase.",
    ),
]
Reload = Annotated[
    bool, typer.Option("--reload", help="Discard the warehouse and rebuild it from the files in raw/.")
]


@stage_command(
    catalog.EXTRACT,
    Inputs(
        (catalog.RAW,), in_place=(catalog.LEDGER, catalog.LINES, catalog.TRANSACTIONS, catalog.QUARANTINE)
    ),
)
def extract_and_validate_data(
    as_of: AsOfOrAuto,
    data: options.DataRoot = options.DEFAULT_DATA,
    memory_limit: options.MemoryLimit = None,
    reload: Reload = False,
    engine: options.WhichEngine = options.DEFAULT_ENGINE,
    spark_remote: options.SparkRemote = None,
) -> None:
    """Check the files in raw/, load the new ones into the warehouse and report on their quality."""
