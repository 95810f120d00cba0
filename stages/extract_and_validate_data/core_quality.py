"""The quality record of a period: rows in, their fate, corrections, and notes for a person."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from extract_and_validate_data.core_ledger import Ledger
from extract_and_validate_data.core_tables import TableReport
from sodai.errors import InputError

_FIGURES = ("lines", "purchases", "cancelled", "reduced", "returned")
_LONGEST_SILENCE = timedelta(days=7)


def weeks_before(
    ledger: Ledger, as_of: date, partial_week: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the figures of the weeks before `as_of`, in order, each with its Monday as `week`.

    Args:
        ledger: the whole warehouse.
        as_of: exclusive.
        partial_week: figures of the days before `as_of` in its own week, if there are any.
    """
    weeks = [
        {"week": week, **record.figures}
        for week, record in sorted(ledger.weeks.items())
        if (as_of - date.fromisoformat(week)).days >= 7
    ]
    return [*weeks, dict(partial_week)] if partial_week else weeks


def check_history(weeks: Sequence[Mapping[str, Any]], as_of: date) -> None:
    """Check that there are purchases before `as_of`.

    Args:
        weeks: what `weeks_before` returns.
        as_of: exclusive.

    Raises:
        InputError: there is none.
    """
    if not any(week["purchases"] for week in weeks):
        raise InputError(
            f"raw: found no purchase dated before {as_of}, expected some weeks of history; "
            "add transaction files to raw/ or give a later --as-of"
        )


def build_quality_record(
    as_of: date,
    ledger: Ledger,
    weeks: Sequence[Mapping[str, Any]],
    tables: Mapping[str, TableReport],
    examples: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return the quality record.

    Args:
        as_of: first day to predict.
        ledger: the whole warehouse.
        weeks: what `weeks_before` returns.
        tables: the reports on customers and products.
        examples: rows of QUARANTINE.
        notes: sentences for a person.
    """
    record = ledger.to_record()
    totals = sum_files(record["files"])
    before = {name: sum(week[name] for week in weeks) for name in _FIGURES}
    every_week = [week.figures for week in ledger.weeks.values()]
    later = {name: sum(week[name] for week in every_week) - before[name] for name in ("lines", "purchases")}
    return {
        "as_of": as_of.isoformat(),
        "totals": totals,
        "before_as_of": before,
        "as_of_or_later": later,
        "reasons": count_reasons(record["files"]),
        "quarantine_examples": list(examples),
        "tables": {name: report.to_record() for name, report in tables.items()},
        "files": record["files"],
        "weeks": list(weeks),
        "notes": list(notes),
    }


def sum_files(files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the totals over the files of the ledger; rows = kept + netted + duplicates + quarantined.

    `fit_share` is the share of the quantities that are thirds of an odd number, None without any.
    """
    names = ("rows", "kept", "netted", "duplicates", "quarantined", "n_readable", "n_fit", "n_decoded")
    totals: dict[str, Any] = {name: sum(file[name] for file in files) for name in names}
    n_readable = totals["n_readable"]
    totals["fit_share"] = round(totals["n_fit"] / n_readable, 6) if n_readable else None
    return totals


def count_reasons(files: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the rows in quarantine by reason, the most frequent first."""
    reasons: dict[str, int] = {}
    for file in files:
        for reason, n in file["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + n
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def notes_on_files(ledger: Ledger, ignored: Sequence[str], same_content: Mapping[str, str]) -> list[str]:
    """Return notes on ignored files, repeated contents and implausible weeks.

    Args:
        ledger: the whole warehouse.
        ignored: names of files in raw/ that match no expected pattern.
        same_content: file that was not read -> an earlier file with the same bytes.
    """
    notes = [f"{name} in raw/ is not read: its name is none of those expected." for name in ignored]
    notes += [
        f"{name} has the content of {first} and was not read again." for name, first in same_content.items()
    ]
    versions: dict[str, int] = {}
    for file in ledger.files.values():
        versions[file.name] = versions.get(file.name, 0) + 1
    notes += [
        f"{name} was loaded with {n} contents; rows that are only in an older one stay until --reload."
        for name, n in sorted(versions.items())
        if n > 1
    ]
    outliers = sorted(set(ledger.partitions["transactions"]) - set(ledger.plausible_weeks()))
    if outliers:
        notes.append(
            f"Weeks far from all others, probably mistyped dates: {', '.join(outliers)}; "
            "--as-of auto and the start of the history ignore them."
        )
    return notes


def notes_on_removed_files(
    before: Ledger | None, names: Collection[str], contents: Collection[str], reload: bool
) -> list[str]:
    """Return notes on files that were loaded and are no longer in raw/.

    A file that was renamed, or whose content was replaced, is not removed.

    Args:
        before: the warehouse before this load; None if it was unreadable.
        names: of the transaction files in raw/.
        contents: their hashes.
        reload: whether the warehouse was rebuilt, without the removed files.
    """
    if before is None:
        return ["The ledger could not be read: it is unknown which files --reload left out."]
    n_rows: dict[str, int] = {}
    for sha256, file in before.files.items():
        if file.name not in names and sha256 not in contents:
            n_rows[file.name] = n_rows.get(file.name, 0) + file.rows
    files = ", ".join(f"{name} ({n:,} rows)" for name, n in sorted(n_rows.items()))
    if not files:
        return []
    if reload:
        return [f"--reload removed files from the warehouse that are no longer in raw/: {files}."]
    return [f"No longer in raw/, but in the warehouse until --reload: {files}."]


def notes_on_silence(ledger: Ledger, weeks: Sequence[Mapping[str, Any]], as_of: date) -> list[str]:
    """Return a note if the seven days before `as_of` have no purchase.

    Args:
        ledger: the whole warehouse.
        weeks: what `weeks_before` returns.
        as_of: exclusive.
    """
    plausible = set(ledger.plausible_weeks())
    days = [week["last_date"] for week in weeks if week["week"] in plausible and week["last_date"]]
    if not days:
        return []
    newest = date.fromisoformat(days[-1])
    if as_of - newest <= _LONGEST_SILENCE:
        return []
    return [
        f"The newest purchase before {as_of} is of {newest}: the seven days before the period are empty. "
        f"Add the missing transactions, or give --as-of {newest + timedelta(days=1)}."
    ]


def summarise_run(quality: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of the stage's result.

    Args:
        quality: what `build_quality_record` returns.
        new: the files that this run read, by content hash.
    """
    loaded = [file for file in quality["files"] if file["sha256"] in new]
    return {
        "as_of": quality["as_of"],
        "files_new": len(loaded),
        "rows_new": sum(file["rows"] for file in loaded),
        **quality["totals"],
        "lines_as_of_or_later": quality["as_of_or_later"]["lines"],
        "customers": quality["tables"]["customers"]["rows"],
        "products": quality["tables"]["products"]["rows"],
        "notes": quality["notes"],
    }
