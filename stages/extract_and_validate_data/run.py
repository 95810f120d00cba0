"""The steps of extract_and_validate_data."""

import logging
from pathlib import Path
from typing import Any

from extract_and_validate_data.core_ledger import Ledger
from extract_and_validate_data.core_quality import (
    build_quality_record,
    check_history,
    notes_on_files,
    notes_on_removed_files,
    notes_on_silence,
    summarise_run,
    weeks_before,
)
from extract_and_validate_data.inputs import RawSources, find_sources, open_sources
from extract_and_validate_data.outputs import write_outputs
from extract_and_validate_data.warehouse_loader import WarehouseLoader
from extract_and_validate_data.warehouse_lock import lock_warehouse, read_ledger, read_ledger_if_readable
from sodai.data.catalog import RAW
from sodai.data.periods import Period
from sodai.engines import Engine, EngineName
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
    """Check the files in raw/, load the new ones into the warehouse and report on their quality."""
    sources = find_sources(volume.path(RAW))
    memory_mib = memory_limit or default_memory_limit_mib()
    with (
        lock_warehouse(volume) as scratch,
        open_engine(engine, spark_remote, memory_mib, scratch, volume.root) as session,
    ):
        result = _load(session, scratch, volume, period, sources, reload)
    for note in result["notes"]:
        log.warning(note)
    return result


def _load(
    engine: Engine, scratch: Path, volume: Volume, period: Period | None, sources: RawSources, reload: bool
) -> dict[str, Any]:
    before = read_ledger_if_readable(volume) if reload else read_ledger(volume)
    ledger = Ledger() if reload or before is None else before
    tables, new = open_sources(sources, ledger.files)
    loader = WarehouseLoader(engine, volume, scratch, tables["customers"].keys, tables["products"].keys)
    ledger = loader.load(ledger, new)
    as_of = period.as_of if period else ledger.day_after_newest()
    ledger = ledger.with_loaded_for(new, as_of)
    weeks = weeks_before(ledger, as_of, loader.partial_week(ledger, as_of))
    check_history(weeks, as_of)
    notes = [
        *notes_on_files(ledger, sources.ignored, sources.same_content),
        *notes_on_removed_files(before, sources.names, sources.transactions.keys(), reload),
        *notes_on_silence(ledger, weeks, as_of),
    ]
    examples = loader.quarantine_examples(ledger, _N_EXAMPLES)
    quality = build_quality_record(as_of, ledger, weeks, tables, examples, notes)
    write_outputs(volume, as_of, ledger, tables, quality)
    return summarise_run(quality, new)
