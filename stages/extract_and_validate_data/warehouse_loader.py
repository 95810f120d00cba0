"""The load: rebuild the weeks that get new lines; read nothing else."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from extract_and_validate_data import core_lines, core_netting
from extract_and_validate_data.core_ledger import FileRecord, Ledger, WeekRecord
from extract_and_validate_data.inputs import RawFile
from extract_and_validate_data.outputs import write_partitions
from extract_and_validate_data.staging import is_mostly_decoded, stage_file, to_pylist
from extract_and_validate_data.warehouse_lock import check_partitions
from sodai.data.catalog import LINES, QUARANTINE, TRANSACTIONS, Dataset
from sodai.data.periods import week_of
from sodai.engines import Engine
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

# Weeks are rebuilt in groups of about this many lines, which bounds the memory of an engine.
GROUP_LINES = 5_000_000
_BATCH_ROWS = 500_000


@dataclass(frozen=True)
class WarehouseLoader:
    """Loads raw files into the warehouse.

    Args:
        scratch: folder for staged files.
        customer_ids, product_ids: keys of today's customers and products.
        group_lines: lines of the weeks that are rebuilt together, about.
    """

    engine: Engine
    volume: Volume
    scratch: Path
    customer_ids: pa.Array
    product_ids: pa.Array
    group_lines: int = GROUP_LINES

    def load(self, ledger: Ledger, new: Mapping[str, RawFile]) -> Ledger:
        """Load new files, and rows in quarantine whose customer or product is known by now.

        Current partition files stay: they are in use until the caller replaces the ledger.

        Args:
            ledger: the current state.
            new: files that it does not contain, by content hash.

        Returns:
            the new state; equal to `ledger` if there is nothing to load.

        Raises:
            InputError: a file is damaged, or not one of its rows is usable.
            VolumeError: a partition that the ledger names is missing.
        """
        check_partitions(self.volume, ledger)
        quarantine = self._quarantine_files(ledger)
        if not quarantine and not new:
            return ledger
        staged, records = self._stage(ledger, new)
        pending = core_lines.flag_unknown_keys(
            self._read_pending(staged, quarantine),
            self._key_table("customer_id", self.customer_ids),
            self._key_table("product_id", self.product_ids),
        )
        loaded = replace(ledger, files={**ledger.files, **records})
        loaded = self._write_quarantine(loaded, pending, {record.key for record in records.values()})
        usable = pending.filter(pending.faults == 0).select(*LINES.contract.names)
        for weeks in self._week_groups(loaded, usable):
            log.info("rebuilding %d weekly partitions starting at %s", len(weeks), weeks[0])
            loaded = self._rebuild_weeks(loaded, usable, weeks)
        loaded.check_row_counts()
        return loaded

    def partial_week(self, ledger: Ledger, as_of: date) -> dict[str, Any] | None:
        """Return the figures of the days before `as_of` in its own week; None if they have no lines."""
        week = week_of(as_of)
        name = ledger.partitions["lines"].get(week.isoformat())
        if name is None:
            return None
        lines = self.engine.read_parquet([self.volume.path(LINES) / name])
        lines = lines.filter(lines.purchase_date < as_of)
        nets = core_netting.net_order_products(lines)
        figures = to_pylist(self.engine, core_netting.summarise_weeks(nets))
        n_lines = to_pylist(self.engine, lines.agg(n=lines.count()))[0]["n"]
        return {**_dates_as_text(figures[0]), "lines": n_lines} if n_lines else None

    def quarantine_examples(self, ledger: Ledger, n_rows: int) -> list[dict[str, Any]]:
        """Return the first rows in quarantine, in order of file and row."""
        files = self._quarantine_files(ledger)
        if not files:
            return []
        rows = self.engine.read_parquet(files)
        examples = rows.order_by("file", "row").limit(n_rows).drop("file_key", "faults", "n_units")
        return [_dates_as_text(row) for row in to_pylist(self.engine, examples)]

    def _quarantine_files(self, ledger: Ledger) -> list[Path]:
        return [self.volume.path(QUARANTINE) / name for name in ledger.partitions["quarantine"].values()]

    def _stage(self, ledger: Ledger, new: Mapping[str, RawFile]) -> tuple[list[Path], dict[str, FileRecord]]:
        staged = {sha256: self.scratch / f"{sha256}.parquet" for sha256 in new}
        records: dict[str, FileRecord] = {}
        for sha256, file in new.items():
            disguised = is_mostly_decoded([*ledger.files.values(), *records.values()])
            records[sha256] = stage_file(self.engine, file, sha256, staged[sha256], disguised)
        return [*staged.values()], records

    def _read_pending(self, staged: Sequence[Path], quarantine: Sequence[Path]) -> ir.Table:
        """Return the lines of new files and those in quarantine, STAGED_COLUMNS."""
        origins = [self.engine.read_parquet(files) for files in (staged, quarantine) if files]
        return ibis.union(*(lines.select(*core_lines.STAGED_COLUMNS) for lines in origins))

    def _key_table(self, name: str, keys: pa.Array) -> ir.Table:
        path = self.scratch / f"{name}.parquet"
        pq.write_table(pa.table({name: keys}), path)
        return self.engine.read_parquet([path])

    def _write_quarantine(self, ledger: Ledger, pending: ir.Table, new_keys: set[int]) -> Ledger:
        """Write the quarantine of the new files and of those from which rows are released."""
        changed = pending.filter(pending.faults != pending.faults_before).select("file_key").distinct()
        keys = new_keys | {row["file_key"] for row in to_pylist(self.engine, changed)}
        if not keys:
            return ledger
        faulty = self.engine.checkpoint(
            "faulty", pending.filter(pending.faults != 0, pending.file_key.isin(sorted(keys)))
        )
        counts = to_pylist(self.engine, faulty.group_by("file_key", "faults").agg(n=faulty.count()))
        reasons: dict[int, dict[str, int]] = {key: {} for key in keys}
        for row in counts:
            reasons[row["file_key"]][core_lines.join_reasons(row["faults"])] = row["n"]
        files = {
            sha256: replace(record, reasons=reasons[record.key]) if record.key in keys else record
            for sha256, record in ledger.files.items()
        }
        names = {key: name for key, name in ledger.partitions["quarantine"].items() if int(key) not in keys}
        if counts:
            file_names = {record.key: record.name for record in files.values() if record.key in keys}
            texts = {row["faults"]: core_lines.join_reasons(row["faults"]) for row in counts}
            rows = faulty.mutate(
                file=faulty.file_key.cases(*file_names.items()), reason=faulty.faults.cases(*texts.items())
            )
            names |= self._write(QUARANTINE, rows.order_by("file_key", "row"), "file_key")
        return replace(ledger, files=files, partitions={**ledger.partitions, "quarantine": names})

    def _week_groups(self, ledger: Ledger, usable: ir.Table) -> Iterator[list[date]]:
        """Yield the weeks with new lines, in order, in groups of about `group_lines` lines."""
        weeks = usable.group_by(week=core_netting.week_of_lines(usable)).agg(n=usable.count())
        group: list[date] = []
        n_lines = 0
        for row in to_pylist(self.engine, weeks.order_by("week")):
            n_week = row["n"] + _count_lines(ledger, row["week"])
            if group and n_lines + n_week > self.group_lines:
                yield group
                group, n_lines = [], 0
            group.append(row["week"])
            n_lines += n_week
        if group:
            yield group

    def _rebuild_weeks(self, ledger: Ledger, usable: ir.Table, weeks: Sequence[date]) -> Ledger:
        """Write the partitions of some weeks again, from their current lines and the new ones."""
        pooled = usable.filter(usable.purchase_date.between(weeks[0], weeks[-1] + timedelta(days=6)))
        names = ledger.partitions["lines"]
        current = [
            self.volume.path(LINES) / names[week.isoformat()] for week in weeks if week.isoformat() in names
        ]
        if current:
            pooled = pooled.union(self.engine.read_parquet(current).select(*LINES.contract.names))
        lines = self.engine.checkpoint("lines", core_netting.drop_duplicate_lines(pooled))
        nets = self.engine.checkpoint("nets", core_netting.net_order_products(lines))
        purchases = core_netting.select_purchases(nets)
        rebuilt = {
            "lines": self._write(LINES, _order_by_week(lines), "week"),
            "transactions": self._write(TRANSACTIONS, _order_by_week(purchases), "week"),
        }
        records = self._week_records(ledger, pooled, lines, nets)
        stale = {week.isoformat() for week in weeks}
        partitions = {
            kind: {week: name for week, name in ledger.partitions[kind].items() if week not in stale} | files
            for kind, files in rebuilt.items()
        }
        return replace(
            ledger,
            weeks={**ledger.weeks, **records},
            partitions={**ledger.partitions, **partitions},
        )

    def _week_records(
        self, ledger: Ledger, pooled: ir.Table, lines: ir.Table, nets: ir.Table
    ) -> dict[str, WeekRecord]:
        n_pooled, n_distinct, n_kept = (
            {(row["week"], row["file_key"]): row["n"] for row in to_pylist(self.engine, counts)}
            for counts in map(
                core_netting.count_by_week_and_file, (pooled, lines, core_netting.select_purchases(nets))
            )
        )
        summary = to_pylist(self.engine, core_netting.summarise_weeks(nets))
        figures = {row.pop("week"): row for row in summary}
        n_before = _earlier_duplicates(ledger, figures)
        fates: dict[date, dict[int, dict[str, int]]] = {week: {} for week in figures}
        # Earlier duplicates too: a file whose lines of a week are all attributed to others has no line in
        # the partition.
        for week, key in sorted({*n_pooled, *n_before}):
            pooled_rows, distinct, kept, before = (
                counts.get((week, key), 0) for counts in (n_pooled, n_distinct, n_kept, n_before)
            )
            duplicates = before + pooled_rows - distinct
            fates[week][key] = {"kept": kept, "netted": distinct - kept, "duplicates": duplicates}
        records = {}
        for week, by_file in fates.items():
            n_lines = sum(fate["kept"] + fate["netted"] for fate in by_file.values())
            records[week.isoformat()] = WeekRecord(
                {"lines": n_lines, **_dates_as_text(figures[week])}, by_file
            )
        return records

    def _write(self, dataset: Dataset, rows: ir.Table, label: str) -> dict[str, str]:
        columns = list(dict.fromkeys([*dataset.contract.names, label]))
        batches = self.engine.to_pyarrow_batches(self.engine.compile(rows.select(*columns)), _BATCH_ROWS)
        return write_partitions(batches, dataset.contract.schema, label, self.volume.path(dataset))


def _order_by_week(rows: ir.Table) -> ir.Table:
    columns = ["week", "customer_id", "product_id", "purchase_date", "order_id"]
    columns += ["items"] if "items" in rows.columns else []
    return rows.mutate(week=core_netting.week_of_lines(rows)).order_by(columns)


def _count_lines(ledger: Ledger, week: date) -> int:
    record = ledger.weeks.get(week.isoformat())
    return record.figures["lines"] if record else 0


def _earlier_duplicates(ledger: Ledger, weeks: Iterable[date]) -> dict[tuple[date, int], int]:
    """Return the duplicates that the ledger records for some weeks, by week and file key."""
    records = {week: ledger.weeks[week.isoformat()] for week in weeks if week.isoformat() in ledger.weeks}
    return {
        (week, key): fate["duplicates"]
        for week, record in records.items()
        for key, fate in record.fates.items()
    }


def _dates_as_text(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, date) else value for name, value in figures.items()}
