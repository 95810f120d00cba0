"""Staging: read each new raw file, check it line by line and write the result for the load."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from extract_and_validate_data import core_lines
from extract_and_validate_data.core_ledger import FileRecord, file_key
from extract_and_validate_data.inputs import RawFile
from sodai.data.date_outliers import plausible_date_range
from sodai.engines import Engine
from sodai.errors import InputError

log = logging.getLogger("sodai")


def is_mostly_decoded(files: Iterable[FileRecord]) -> bool:
    """Return whether most quantities of the files were in disguise."""
    counts = [(record.n_decoded, record.n_readable) for record in files]
    return 2 * sum(n_decoded for n_decoded, _ in counts) > sum(n_readable for _, n_readable in counts)


def stage_file(engine: Engine, file: RawFile, sha256: str, target: Path, disguised: bool) -> FileRecord:
    """Write the checked lines of one raw file to `target`, STAGED_COLUMNS.

    Args:
        disguised: whether the files loaded before this one were in disguise, see `find_disguised_days`.

    Returns:
        the file's record; customers and products are not looked up yet.

    Raises:
        InputError: the file is damaged, or not one of its rows is usable.
    """
    log.info("reading %s: %d rows", file.path.name, file.n_rows)
    with engine.explain_raw_errors(file.path):
        raw = engine.read_raw(file.path, list(file.match.names.values()))
        lines = core_lines.coerce_lines(raw, file.match.names)
        profile = to_pylist(engine, core_lines.profile_days(lines))
        decoded = core_lines.find_disguised_days(profile, disguised)
        plausible = plausible_date_range([(day["day"], day["n_lines"]) for day in profile])
        checked = core_lines.check_lines(lines, file_key(sha256), plausible, decoded)
        engine.to_parquet(checked, target)
    _raise_if_unusable(engine, target, file)
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


def to_pylist(engine: Engine, table: ir.Table) -> list[dict[str, Any]]:
    """Compute a small table; return one mapping for each row."""
    return engine.to_pyarrow(engine.compile(table)).cast(table.schema().to_pyarrow()).to_pylist()


def _raise_if_unusable(engine: Engine, staged: Path, file: RawFile) -> None:
    lines = engine.read_parquet([staged])
    by_faults = to_pylist(engine, lines.group_by("faults").agg(n=lines.count()))
    if not by_faults or any(row["faults"] == 0 for row in by_faults):
        return
    worst = max(by_faults, key=lambda row: (row["n"], row["faults"]))
    raise InputError(
        f"{file.path}: not one of its {file.n_rows} rows is usable "
        f"({worst['n']} times: {core_lines.join_reasons(worst['faults'])}); correct the file and run again"
    )
