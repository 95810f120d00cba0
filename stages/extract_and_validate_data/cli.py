"""The command of extract_and_validate_data: raw files in, warehouse and quality report out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sodai.cli import DEFAULT_DATA, DataRoot, stage_command
from sodai.datasets import CUSTOMERS, EXTRACT, LEDGER, PRODUCTS, QUALITY, QUALITY_PAGE, RAW_FOLDER

AsOfOrAuto = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="First day to predict, YYYY-MM-DD; auto = day after the newest purchase.",
    ),
]


@stage_command(EXTRACT)
def extract_and_validate_data(as_of: AsOfOrAuto, data: DataRoot = DEFAULT_DATA) -> dict[str, Any]:
    """Check what lies in raw/, load what is new into the warehouse and report on its quality."""
    from datetime import timedelta

    from extract_and_validate_data.core import load_all, master_tables
    from sodai.pages import page
    from sodai.periods import parse_date
    from sodai.volume import Volume

    volume = Volume(data)
    raw = volume.root / RAW_FOLDER
    ledger = load_all(volume, raw)
    customers, products = master_tables(raw)
    last = parse_date(ledger["last_date"])
    day = last + timedelta(days=1) if as_of == "auto" else parse_date(as_of)
    with volume.attempt(EXTRACT, day) as attempt:
        attempt.write_json(LEDGER, ledger)
        attempt.write(CUSTOMERS, customers)
        attempt.write(PRODUCTS, products)
        attempt.write_json(QUALITY, {"as_of": day, "files": ledger["files"]})
        attempt.write_text(QUALITY_PAGE, page("Quality of the input", "<section></section>"))
    rows = sum(file["rows"] for file in ledger["files"])
    return {"as_of": day.isoformat(), "rows": rows, "customers": len(customers), "products": len(products)}
