"""The command of extract_and_validate_data: raw files in, warehouse and quality report out."""

from typing import Annotated

import typer

from sodai.data.catalog import EXTRACT, LEDGER, LINES, QUARANTINE, RAW, TRANSACTIONS
from sodai.stage.command import stage_command
from sodai.stage.inputs import Inputs
from sodai.stage.options import DEFAULT_DATA, DEFAULT_ENGINE, DataRoot, MemoryLimit, SparkRemote, WhichEngine

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


@stage_command(EXTRACT, Inputs((RAW,), in_place=(LEDGER, LINES, TRANSACTIONS, QUARANTINE)))
def extract_and_validate_data(
    as_of: AsOfOrAuto,
    data: DataRoot = DEFAULT_DATA,
    memory_limit: MemoryLimit = None,
    reload: Reload = False,
    engine: WhichEngine = DEFAULT_ENGINE,
    spark_remote: SparkRemote = None,
) -> None:
    """Check the files in raw/, load the new ones into the warehouse and report on their quality."""
