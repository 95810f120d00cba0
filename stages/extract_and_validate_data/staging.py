"""Staging: each new file is read, judged line by line and laid down for the load."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from extract_and_validate_data import core_lines
from extract_and_validate_data.core_ledger import FileRecord, file_key
from extract_and_validate_data.raw_files import RawFile
from sodai.data.date_outliers import plausible_date_range
from sodai.engines import Engine
from sodai.errors import InputError

log = logging.getLogger("sodai")


def mostly_decoded(files: Iterable[FileRecord]) -> bool:
    """Whether most of the quantities read so far were in disguise."""
    counts = [(record.n_decoded, record.n_readable) for record in files]
    return 2 * sum(decoded for decoded, _ in counts) > sum(
        explain_read_errors for _, explain_read_errors in counts
    )


def stage_file(engine: Engine, file: RawFile, sha256: str, staged: Path, disguised: bool) -> FileRecord:
    """Write the judged lines of one raw file to `staged`, STAGED_COLUMNS.

    Args:
        disguised: whether what was loaded before it was, see `disguised_days`.

    Returns:
        the file's record; customers and products are not looked up yet.

    Raises:
        InputError: the file is damaged, or not one of its rows is usable.
    """
    log.info("reading %s: %d rows", file.path.name, file.n_rows)
    with engine.explain_raw_errors(file.path):
        raw = engine.read_raw(file.path, list(file.match.names.values()))
        lines = core_lines.coerced(raw, file.match.names)
        profile = rows_of(engine, core_lines.day_profile(lines))
        decoded = core_lines.disguised_days(profile, disguised)
        believable = plausible_date_range([(day["day"], day["n_lines"]) for day in profile])
        judged = core_lines.judged(lines, file_key(sha256), believable, decoded)
        engine.to_parquet(judged, staged)
    _raise_unusable(engine, staged, file)
    return FileRecord(
        name=file.path.name,
        sha256=sha256,
        loaded_for="",
        rows=file.n_rows,
        n_readable=sum(day["n_lines"] for day in profile),
        n_fit=sum(day["n_fit"] for day in profile),
        n_decoded=sum(day["n_fit"] for day in profile if day["day"] in decoded),
        extra_columns=file.match.extra,
    )


def rows_of(engine: Engine, table: ir.Table) -> list[dict[str, Any]]:
    """A small table as one mapping a row."""
    return engine.to_pyarrow(engine.compile(table)).cast(table.schema().to_pyarrow()).to_pylist()


def _raise_unusable(engine: Engine, staged: Path, file: RawFile) -> None:
    lines = engine.read_parquet([staged])
    by_faults = rows_of(engine, lines.group_by("faults").agg(n=lines.count()))
    if not by_faults or any(row["faults"] == 0 for row in by_faults):
        return
    worst = max(by_faults, key=lambda row: (row["n"], row["faults"]))
    raise InputError(
        f"{file.path}: not one of its {file.n_rows} rows is usable "
        f"({worst['n']} times: {core_lines.reason_text(worst['faults'])}); correct the file and run again"
    )
