"""The quality record: what came in, what became of it, what was put right, as of one period."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from extract_and_validate_data.core_ledger import Ledger
from extract_and_validate_data.core_tables import TableReport
from sodai.errors import InputError

_FIGURES = ("lines", "purchases", "cancelled", "reduced", "returned")
_LONGEST_SILENCE = timedelta(days=7)


def weeks_before(
    ledger: Ledger, as_of: date, cut_week: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The figures of the weeks that the period of `as_of` may see, in order.

    Args:
        ledger: the whole warehouse.
        as_of: exclusive.
        cut_week: figures of the days before `as_of` in its own week, if there are any.

    Returns:
        `week` (its Monday) and the figures of each.
    """
    weeks = [
        {"week": week, **record.figures}
        for week, record in sorted(ledger.weeks.items())
        if (as_of - date.fromisoformat(week)).days >= 7
    ]
    return [*weeks, dict(cut_week)] if cut_week else weeks


def check_history(weeks: Sequence[Mapping[str, Any]], as_of: date) -> None:
    """See that there is something to learn from.

    Args:
        weeks: what `weeks_before` returns.
        as_of: exclusive.

    Raises:
        InputError: not one purchase is dated before `as_of`.
    """
    if not any(week["purchases"] for week in weeks):
        raise InputError(
            f"raw: found no purchase dated before {as_of}, expected some weeks of history; "
            "add transaction files to raw/ or give a later --as-of"
        )


def quality_record(
    as_of: date,
    ledger: Ledger,
    weeks: Sequence[Mapping[str, Any]],
    tables: Mapping[str, TableReport],
    examples: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """What the quality report tells: the same for the same raw files and `as_of`, but for what ran before.

    Args:
        as_of: first day to predict.
        ledger: the whole warehouse.
        weeks: what `weeks_before` returns.
        tables: the reports on customers and products.
        examples: rows of QUARANTINE.
        notes: sentences on what a person should know.
    """
    record = ledger.to_record()
    totals = totals_of(record["files"])
    before = {name: sum(week[name] for week in weeks) for name in _FIGURES}
    every_week = [week.figures for week in ledger.weeks.values()]
    later = {name: sum(week[name] for week in every_week) - before[name] for name in ("lines", "purchases")}
    return {
        "as_of": as_of.isoformat(),
        "totals": totals,
        "before_as_of": before,
        "as_of_or_later": later,
        "reasons": reasons_of(record["files"]),
        "quarantine_examples": list(examples),
        "tables": {name: report.to_record() for name, report in tables.items()},
        "files": record["files"],
        "weeks": list(weeks),
        "notes": list(notes),
    }


def totals_of(files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over the files of the ledger; rows = kept + netted + duplicates + quarantined.

    `fit_share` is the part of the quantities that are thirds of an odd number, None without any.
    """
    names = ("rows", "kept", "netted", "duplicates", "quarantined", "n_readable", "n_fit", "n_decoded")
    totals: dict[str, Any] = {name: sum(file[name] for file in files) for name in names}
    n_readable = totals["n_readable"]
    totals["fit_share"] = round(totals["n_fit"] / n_readable, 6) if n_readable else None
    return totals


def reasons_of(files: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Rows in quarantine by reason, the most frequent first."""
    reasons: dict[str, int] = {}
    for file in files:
        for reason, n in file["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + n
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def notes_on(ledger: Ledger, ignored: Sequence[str], same_content: Mapping[str, str]) -> list[str]:
    """What a person should know, one sentence each.

    Args:
        ledger: the whole warehouse.
        ignored: names of files in raw/ that no pattern asks for.
        same_content: files that were not read because an earlier one has the same bytes, with its name.
    """
    notes = [f"{name} in raw/ is not read: its name is none of those expected." for name in ignored]
    notes += [
        f"{name} has the content of {first} and was not read again." for name, first in same_content.items()
    ]
    versions: dict[str, int] = {}
    for file in ledger.files.values():
        versions[file.name] = versions.get(file.name, 0) + 1
    notes += [
        f"{name} was loaded with {n} contents; rows that a newer one withdraws stay until --reload."
        for name, n in sorted(versions.items())
        if n > 1
    ]
    believed = ledger.plausible_weeks()
    apart = sorted(set(ledger.partitions["transactions"]) - set(believed))
    if apart:
        notes.append(
            f"Weeks that stand apart from the others, as mistyped dates do: {', '.join(apart)}; "
            "they decide neither --as-of auto nor where the history begins."
        )
    return notes


def notes_on_gone(
    before: Ledger | None, names: Collection[str], contents: Collection[str], reload: bool
) -> list[str]:
    """What a person should know of files that were loaded and lie no longer in raw/.

    Args:
        before: the warehouse before this load; None if nobody can tell.
        names: of the transaction files in raw/; another content under a name that is there is meant.
        contents: their hashes; a file that lies there under another name is not gone.
        reload: whether the warehouse was built anew, without them.
    """
    if before is None:
        return ["The ledger could not be read: which files' rows --reload left out is not known."]
    n_rows: dict[str, int] = {}
    for sha256, file in before.files.items():
        if file.name not in names and sha256 not in contents:
            n_rows[file.name] = n_rows.get(file.name, 0) + file.rows
    told = ", ".join(f"{name} ({n:,} rows)" for name, n in sorted(n_rows.items()))
    if not told:
        return []
    if reload:
        return [f"--reload took out of the warehouse what lies no longer in raw/: {told}."]
    return [f"No longer in raw/, but in the warehouse until --reload: {told}."]


def notes_on_silence(ledger: Ledger, weeks: Sequence[Mapping[str, Any]], as_of: date) -> list[str]:
    """What a person should know where the days before `as_of` hold no purchase.

    Args:
        ledger: the whole warehouse.
        weeks: what `weeks_before` returns.
        as_of: exclusive.
    """
    believed = set(ledger.plausible_weeks())
    days = [week["last_date"] for week in weeks if week["week"] in believed and week["last_date"]]
    if not days:
        return []
    newest = date.fromisoformat(days[-1])
    if as_of - newest <= _LONGEST_SILENCE:
        return []
    return [
        f"The newest purchase before {as_of} is of {newest}: the seven days before the period are empty. "
        f"Add the missing drop, or give --as-of {newest + timedelta(days=1)}."
    ]


def result_line(quality: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the stage's result.

    Args:
        quality: what `quality_record` returns.
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
