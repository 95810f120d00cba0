"""The ledger of the warehouse: files loaded, the fate of their rows, and the current partition files."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from sodai.data.date_outliers import plausible_weeks
from sodai.errors import InputError, VolumeError

FORMAT = 2
_KEY_DIGITS = 12
_FATES = ("kept", "netted", "duplicates")


@dataclass(frozen=True)
class FileRecord:
    """A raw file that was loaded.

    Args:
        rows: rows of the file.
        n_readable: rows with a usable quantity and date.
        n_fit: those of them whose quantity is a third of an odd number.
        n_decoded: those of them whose quantity was decoded.
        reasons: reason -> rows of the file in quarantine.
    """

    name: str
    sha256: str
    loaded_for: str
    rows: int
    n_readable: int
    n_fit: int
    n_decoded: int
    extra_columns: tuple[str, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> int:
        """Return the number that identifies the file in partitions."""
        return file_key(self.sha256)

    @property
    def quarantined(self) -> int:
        """Return the number of rows in quarantine."""
        return sum(self.reasons.values())


@dataclass(frozen=True)
class WeekRecord:
    """A week of the warehouse.

    Args:
        figures: see `core_netting.summarise_weeks`, and `lines`.
        fates: file key -> rows `kept` (purchases attributed to the file), `netted` (lines summed into a
            purchase or cancelled) and `duplicates`.
    """

    figures: Mapping[str, Any]
    fates: Mapping[int, Mapping[str, int]]


@dataclass(frozen=True)
class Ledger:
    """The state of the warehouse: files by content hash, weeks and their partition files by Monday."""

    files: Mapping[str, FileRecord] = field(default_factory=dict)
    weeks: Mapping[str, WeekRecord] = field(default_factory=dict)
    partitions: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {"transactions": {}, "lines": {}, "quarantine": {}}
    )

    def count_fates(self, key: int) -> dict[str, int]:
        """Return the rows of one file that were kept, netted or duplicates, over all weeks."""
        fates = [week.fates[key] for week in self.weeks.values() if key in week.fates]
        return {name: sum(fate[name] for fate in fates) for name in _FATES}

    def plausible_weeks(self) -> list[str]:
        """Return the weeks with purchases, in order, without outliers that mistyped dates produce."""
        n_purchases = [
            (date.fromisoformat(week), record.figures["purchases"])
            for week, record in sorted(self.weeks.items())
            if record.figures["purchases"]
        ]
        return [week.isoformat() for week, _ in plausible_weeks(n_purchases)]

    def day_after_newest(self) -> date:
        """Return the day after the newest plausible purchase.

        Raises:
            InputError: there is no purchase.
        """
        weeks = self.plausible_weeks()
        if not weeks:
            raise InputError(
                "raw: found not one purchase, expected some weeks of history; add transaction files to raw/"
            )
        newest: str = self.weeks[weeks[-1]].figures["last_date"]
        return date.fromisoformat(newest) + timedelta(days=1)

    def with_loaded_for(self, hashes: Collection[str], as_of: date) -> "Ledger":
        """Return a copy that records the files of `hashes` as loaded by the run for `as_of`."""
        files = {
            sha256: replace(record, loaded_for=as_of.isoformat()) if sha256 in hashes else record
            for sha256, record in self.files.items()
        }
        return replace(self, files=files)

    def check_row_counts(self) -> None:
        """Check for every file that its rows are the kept, netted, duplicate and quarantined ones.

        Raises:
            RuntimeError: a row was lost or counted twice, which is a bug.
        """
        for record in self.files.values():
            fates = self.count_fates(record.key)
            if record.rows != sum(fates.values()) + record.quarantined:
                raise RuntimeError(
                    f"{record.name}: {record.rows} rows in, but {fates} and {record.quarantined} quarantined"
                )

    def to_record(self) -> dict[str, Any]:
        """Return the ledger as JSON; first and last date are those of the plausible purchases."""
        weeks = [self.weeks[week].figures for week in self.plausible_weeks()]
        files = sorted(self.files.values(), key=lambda record: (record.name, record.sha256))
        return {
            "format": FORMAT,
            "first_date": weeks[0]["first_date"] if weeks else None,
            "last_date": weeks[-1]["last_date"] if weeks else None,
            "files": [self._file_record(record) for record in files],
            "partitions": {kind: dict(sorted(names.items())) for kind, names in self.partitions.items()},
            "weeks": {
                week: {
                    **record.figures,
                    "fates": {str(key): record.fates[key] for key in sorted(record.fates)},
                }
                for week, record in sorted(self.weeks.items())
            },
        }

    def _file_record(self, record: FileRecord) -> dict[str, Any]:
        return {
            "name": record.name,
            "sha256": record.sha256,
            "loaded_for": record.loaded_for,
            "rows": record.rows,
            **self.count_fates(record.key),
            "quarantined": record.quarantined,
            "reasons": dict(sorted(record.reasons.items())),
            "n_readable": record.n_readable,
            "n_fit": record.n_fit,
            "n_decoded": record.n_decoded,
            "extra_columns": list(record.extra_columns),
        }


def file_key(sha256: str) -> int:
    """Return the number that identifies a file in partitions, from its content hash."""
    return int(sha256[:_KEY_DIGITS], 16)


def parse_ledger(record: Mapping[str, Any], where: str) -> Ledger:
    """Return the ledger that `to_record` wrote.

    Raises:
        VolumeError: it was written in another format; `where` names the file.
    """
    if record.get("format") != FORMAT:
        raise VolumeError(
            f"{where}: has format {record.get('format')}, expected {FORMAT}; "
            "run extract_and_validate_data --reload to rebuild the warehouse from raw/"
        )
    names = ("name", "sha256", "loaded_for", "rows", "n_readable", "n_fit", "n_decoded")
    files = {
        entry["sha256"]: FileRecord(
            **{name: entry[name] for name in names},
            extra_columns=tuple(entry["extra_columns"]),
            reasons=entry["reasons"],
        )
        for entry in record["files"]
    }
    weeks = {
        week: WeekRecord(
            figures={name: value for name, value in entry.items() if name != "fates"},
            fates={int(key): fate for key, fate in entry["fates"].items()},
        )
        for week, entry in record["weeks"].items()
    }
    return Ledger(files, weeks, record["partitions"])
