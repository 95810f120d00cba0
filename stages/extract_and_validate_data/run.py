"""The steps of extract_and_validate_data."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from extract_and_validate_data.core_ledger import Ledger
from extract_and_validate_data.core_page import quality_page
from extract_and_validate_data.core_quality import (
    check_history,
    notes_on,
    notes_on_gone,
    notes_on_silence,
    quality_record,
    result_line,
    weeks_before,
)
from extract_and_validate_data.core_tables import TableReport
from extract_and_validate_data.loading import Loader
from extract_and_validate_data.raw_files import find_sources, open_all
from extract_and_validate_data.store import read_ledger, readable_ledger, sole_use
from sodai.data.catalog import (
    CUSTOMERS,
    EXTRACT,
    LEDGER,
    PRODUCTS,
    QUALITY,
    QUALITY_PAGE,
    RAW,
)
from sodai.data.periods import Period
from sodai.engines import EngineName
from sodai.engines.opening import open_engine
from sodai.runtime.limits import default_memory_limit_mib
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

_N_EXAMPLES = 20


def run(
    volume: Volume,
    period: Period | None,
    *,
    memory_limit: int | None,
    reload: bool,
    engine: EngineName,
    spark_remote: str | None,
) -> dict[str, Any]:
    """Check what lies in raw/, load what is new into the warehouse and report on its quality."""
    sources = find_sources(volume.path(RAW))
    memory_mib = memory_limit or default_memory_limit_mib()
    with (
        sole_use(volume) as scratch,
        open_engine(engine, spark_remote, memory_mib, scratch, volume.root) as opened,
    ):
        found = readable_ledger(volume) if reload else read_ledger(volume)
        before = Ledger() if reload or found is None else found
        tables, new = open_all(sources, before.files)
        keys = (tables[name].keys for name in ("customers", "products"))
        loader = Loader(opened, volume, scratch, *keys)
        loaded = loader.load(before, new)
        day = period.as_of if period else loaded.day_after_newest()
        ledger = loaded.stamped(new, day)
        weeks = weeks_before(ledger, day, loader.cut_week(ledger, day))
        check_history(weeks, day)
        notes = [
            *notes_on(ledger, sources.ignored, sources.same_content),
            *notes_on_gone(found, sources.names, sources.transactions.keys(), reload),
            *notes_on_silence(ledger, weeks, day),
        ]
        examples = loader.quarantine_examples(ledger, _N_EXAMPLES)
        quality = quality_record(day, ledger, weeks, tables, examples, notes)
        _publish(volume, day, ledger, tables, quality)
    for note in notes:
        log.warning(note)
    return result_line(quality, new)


def _publish(
    volume: Volume,
    day: date,
    ledger: Ledger,
    tables: Mapping[str, "TableReport"],
    quality: Mapping[str, Any],
) -> None:

    with volume.attempt(EXTRACT, day) as attempt:
        attempt.write_json(LEDGER, ledger.to_record())
        attempt.write(CUSTOMERS, tables["customers"].checked.table)
        attempt.write(PRODUCTS, tables["products"].checked.table)
        attempt.write_json(QUALITY, quality)
        attempt.write_text(QUALITY_PAGE, quality_page(quality))
