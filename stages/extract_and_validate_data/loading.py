"""Loading: the weeks that new lines touch are put together again, nothing else is read."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from extract_and_validate_data import core_lines, core_net
from extract_and_validate_data.core_ledger import FileRecord, Ledger, WeekRecord
from extract_and_validate_data.partitions import write_partitions
from extract_and_validate_data.raw_files import RawFile
from extract_and_validate_data.staging import mostly_decoded, rows_of, stage_file
from extract_and_validate_data.store import check_partitions
from sodai.data.catalog import LINES, QUARANTINE, TRANSACTIONS, Dataset
from sodai.data.periods import week_of
from sodai.engines import Engine
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

# Weeks are put together in groups of about this many lines, which bounds what an engine must hold.
BATCH_LINES = 5_000_000
_WRITTEN_ROWS = 500_000


@dataclass(frozen=True)
class Loader:
    """What a load works with: engine, volume, a scratch folder and the keys that are known today."""

    engine: Engine
    volume: Volume
    scratch: Path
    customer_ids: pa.Array
    product_ids: pa.Array
    batch_lines: int = BATCH_LINES

    def load(self, ledger: Ledger, new: Mapping[str, RawFile]) -> Ledger:
        """Load files, beside the partitions in force, which stay until the ledger is replaced.

        Rows in quarantine whose customer or product is known by now are loaded with them.

        Args:
            ledger: the state so far.
            new: files that it does not know, by content hash.

        Returns:
            the new state; equal to `ledger` if there is nothing to load.

        Raises:
            InputError: a file is damaged, or not one of its rows is usable.
            VolumeError: a partition that the ledger names is missing.
        """
        check_partitions(self.volume, ledger)
        waiting = [self.volume.path(QUARANTINE) / name for name in ledger.partitions["quarantine"].values()]
        staged = {sha256: self.scratch / f"{sha256}.parquet" for sha256 in new}
        records: dict[str, FileRecord] = {}
        for sha256, file in new.items():
            disguised = mostly_decoded([*ledger.files.values(), *records.values()])
            records[sha256] = stage_file(self.engine, file, sha256, staged[sha256], disguised)
        if not waiting and not staged:
            return ledger
        loaded = replace(ledger, files={**ledger.files, **records})
        judged = self._judged([*staged.values()], waiting)
        known = (self._known("customer_id", self.customer_ids), self._known("product_id", self.product_ids))
        pending = core_lines.with_unknowns(judged, *known)
        loaded = self._set_apart(loaded, pending, {record.key for record in records.values()})
        usable = pending.filter(pending.faults == 0).select(*LINES.contract.names)
        for weeks in self._batches(loaded, usable):
            log.info("putting together %d weeks from %s", len(weeks), weeks[0])
            loaded = self._fill(loaded, usable, weeks)
        loaded.check_sums()
        return loaded

    def cut_week(self, ledger: Ledger, as_of: date) -> dict[str, Any] | None:
        """The figures of the days before `as_of` in the week of `as_of`; None if it has no such lines."""
        week = week_of(as_of)
        name = ledger.partitions["lines"].get(week.isoformat())
        if name is None:
            return None
        lines = self.engine.read_parquet([self.volume.path(LINES) / name])
        lines = lines.filter(lines.purchase_date < as_of)
        figures = rows_of(self.engine, core_net.week_figures(core_net.order_products(lines)))
        n_lines = rows_of(self.engine, lines.agg(n=lines.count()))[0]["n"]
        return {**_dated(figures[0]), "lines": n_lines} if n_lines else None

    def quarantine_examples(self, ledger: Ledger, n_rows: int) -> list[dict[str, Any]]:
        """The first rows in quarantine, in order of file and row."""
        named = ledger.partitions["quarantine"].values()
        if not named:
            return []
        rows = self.engine.read_parquet([self.volume.path(QUARANTINE) / name for name in named])
        shown = rows.order_by("file", "row").limit(n_rows).drop("file_key", "faults", "n_units")
        return [_dated(row) for row in rows_of(self.engine, shown)]

    def _set_apart(self, ledger: Ledger, pending: ir.Table, new_keys: set[int]) -> Ledger:
        """Write the quarantine of the new files and of those from which rows are released."""
        changed = pending.filter(pending.faults != pending.faults_before).select("file_key").distinct()
        keys = new_keys | {row["file_key"] for row in rows_of(self.engine, changed)}
        if not keys:
            return ledger
        apart = pending.filter(pending.faults != 0, pending.file_key.isin(sorted(keys)))
        faulty = self.engine.checkpoint("faulty", apart)
        counts = rows_of(self.engine, faulty.group_by("file_key", "faults").agg(n=faulty.count()))
        reasons: dict[int, dict[str, int]] = {key: {} for key in keys}
        for row in counts:
            reasons[row["file_key"]][core_lines.reason_text(row["faults"])] = row["n"]
        files = {
            sha256: replace(record, reasons=reasons[record.key]) if record.key in keys else record
            for sha256, record in ledger.files.items()
        }
        named = {str(key): name for key, name in ledger.partitions["quarantine"].items()}
        named = {key: name for key, name in named.items() if int(key) not in keys}
        if counts:
            names = {record.key: record.name for record in files.values() if record.key in keys}
            texts = {row["faults"]: core_lines.reason_text(row["faults"]) for row in counts}
            told = faulty.mutate(
                file=faulty.file_key.cases(*names.items()), reason=faulty.faults.cases(*texts.items())
            )
            named |= self._write(QUARANTINE, told.order_by("file_key", "row"), "file_key")
        return replace(ledger, files=files, partitions={**ledger.partitions, "quarantine": named})

    def _batches(self, ledger: Ledger, usable: ir.Table) -> Iterable[list[date]]:
        """The weeks that get new lines, in order and in groups of about `batch_lines` lines."""
        weeks = usable.group_by(week=core_net.week_of_lines(usable)).agg(n=usable.count())
        group: list[date] = []
        n_lines = 0
        for row in rows_of(self.engine, weeks.order_by("week")):
            n_week = row["n"] + _lines_in(ledger, row["week"])
            if group and n_lines + n_week > self.batch_lines:
                yield group
                group, n_lines = [], 0
            group.append(row["week"])
            n_lines += n_week
        if group:
            yield group

    def _fill(self, ledger: Ledger, usable: ir.Table, weeks: Sequence[date]) -> Ledger:
        """Put the partitions of some weeks together from what they hold and what is new."""
        pooled = usable.filter(usable.purchase_date.between(weeks[0], weeks[-1] + timedelta(days=6)))
        in_force = [
            self.volume.path(LINES) / ledger.partitions["lines"][week.isoformat()]
            for week in weeks
            if week.isoformat() in ledger.partitions["lines"]
        ]
        if in_force:
            pooled = pooled.union(self.engine.read_parquet(in_force).select(*LINES.contract.names))
        lines = self.engine.checkpoint("lines", core_net.distinct_lines(pooled))
        nets = self.engine.checkpoint("nets", core_net.order_products(lines))
        bought = core_net.purchases(nets)
        written = {
            "lines": self._write(LINES, self._by_week(lines), "week"),
            "transactions": self._write(TRANSACTIONS, self._by_week(bought), "week"),
        }
        records = self._week_records(ledger, pooled, lines, nets)
        touched = {week.isoformat() for week in weeks}
        partitions = {
            kind: {week: name for week, name in ledger.partitions[kind].items() if week not in touched} | new
            for kind, new in written.items()
        }
        return replace(
            ledger,
            weeks={**ledger.weeks, **records},
            partitions={**ledger.partitions, **partitions},
        )

    def _week_records(
        self, ledger: Ledger, pooled: ir.Table, lines: ir.Table, nets: ir.Table
    ) -> dict[str, WeekRecord]:
        n_in, n_distinct, n_kept = (
            {(row["week"], row["file_key"]): row["n"] for row in rows_of(self.engine, counts)}
            for counts in map(core_net.counts_by_file, (pooled, lines, core_net.purchases(nets)))
        )
        figures = {row.pop("week"): row for row in rows_of(self.engine, core_net.week_figures(nets))}
        n_before = _duplicates_before(ledger, figures)
        fates: dict[date, dict[int, dict[str, int]]] = {week: {} for week in figures}
        # A file whose lines of a week all count for others has none in the partition.
        for week, key in sorted({*n_in, *n_before}):
            n, distinct, kept, before = (
                counts.get((week, key), 0) for counts in (n_in, n_distinct, n_kept, n_before)
            )
            fates[week][key] = {"kept": kept, "netted": distinct - kept, "duplicates": before + n - distinct}
        return {
            week.isoformat(): WeekRecord(_figures_record(figures[week], fates[week]), fates[week])
            for week in figures
        }

    def _judged(self, staged: Sequence[Path], waiting: Sequence[Path]) -> ir.Table:
        """The lines of new files and those in quarantine, STAGED_COLUMNS."""
        origins = [self.engine.read_parquet(files) for files in (staged, waiting) if files]
        return ibis.union(*(lines.select(*core_lines.STAGED_COLUMNS) for lines in origins))

    def _known(self, name: str, keys: pa.Array) -> ir.Table:
        path = self.scratch / f"{name}.parquet"
        pq.write_table(pa.table({name: keys}), path)
        return self.engine.read_parquet([path])

    def _by_week(self, rows: ir.Table) -> ir.Table:
        ordered = ["week", "customer_id", "product_id", "purchase_date", "order_id"]
        ordered += ["items"] if "items" in rows.columns else []
        return rows.mutate(week=core_net.week_of_lines(rows)).order_by(ordered)

    def _write(self, dataset: Dataset, rows: ir.Table, label: str) -> dict[str, str]:
        columns = list(dict.fromkeys([*dataset.contract.names, label]))
        batches = self.engine.to_pyarrow_batches(self.engine.compile(rows.select(*columns)), _WRITTEN_ROWS)
        return write_partitions(batches, dataset.contract.schema, label, self.volume.path(dataset))


def _lines_in(ledger: Ledger, week: date) -> int:
    record = ledger.weeks.get(week.isoformat())
    return record.figures["lines"] if record else 0


def _duplicates_before(ledger: Ledger, weeks: Iterable[date]) -> dict[tuple[date, int], int]:
    """Duplicates that the ledger tells of some weeks, by week and file key."""
    records = {week: ledger.weeks[week.isoformat()] for week in weeks if week.isoformat() in ledger.weeks}
    return {
        (week, key): fate["duplicates"]
        for week, record in records.items()
        for key, fate in record.fates.items()
    }


def _figures_record(figures: Mapping[str, Any], fates: Mapping[int, Mapping[str, int]]) -> dict[str, Any]:
    n_lines = sum(fate["kept"] + fate["netted"] for fate in fates.values())
    return {"lines": n_lines, **_dated(figures)}


def _dated(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The same with dates as text, as JSON holds them."""
    return {name: str(value) if isinstance(value, date) else value for name, value in figures.items()}
