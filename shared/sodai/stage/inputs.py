"""The inputs of a stage: declared next to its options, turned into paths here."""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sodai.data.catalog import (
    ALL_DATASETS,
    LEDGER,
    TRANSACTIONS,
    Dataset,
    run_record,
    shard_origin,
    shard_scores,
)
from sodai.data.periods import DAYS_PER_WEEK, Period
from sodai.data.shard import Shard
from sodai.model.registry_snapshot import RegistrySnapshot
from sodai.volume.file_hashes import FileIndex
from sodai.volume.ledger import partitions_before

ReadSnapshot = Callable[[Path, str | None], RegistrySnapshot]

# More would make a stage that looks back cost more every week.
N_EARLIER = 8


@dataclass(frozen=True)
class Inputs:
    """The data sets and the registry state that a stage reads.

    A data set that the stage itself writes (the ledger, the history) is an output and does not belong here.

    Args:
        current: of the period, or of the whole volume; TRANSACTIONS are the partitions that the ledger names
            for the weeks before the period.
        previous: of the period one step earlier.
        earlier: of the newest N_EARLIER periods before it that have them; TRANSACTIONS are the partitions
            from the first of these periods on.
        in_place: outputs of the stage that it updates instead of replacing them.
        untracked: read, but without influence on the result; paths may hold wildcards.
        registry: `read_snapshot`, for a stage that uses MLflow; only those have its packages.
        champion: whether the stage depends on the champion.
        trainings: whether it depends on when the newest training was.
    """

    current: tuple[Dataset, ...] = ()
    previous: tuple[Dataset, ...] = ()
    earlier: tuple[Dataset, ...] = ()
    in_place: tuple[Dataset, ...] = ()
    untracked: tuple[Dataset, ...] = ()
    registry: ReadSnapshot | None = None
    champion: bool = False
    trainings: bool = False

    def declares(self, dataset: Dataset, as_of: date | None, period: Period | None) -> bool:
        """Return whether a stage may read a data set of a period.

        Args:
            dataset: of the catalogue.
            as_of: first day of the period that is read; None for a data set of the whole volume.
            period: that the stage runs for; None if it determines it itself.
        """
        if dataset == LEDGER:
            return TRANSACTIONS in (*self.current, *self.earlier, *self.in_place)
        if _is_any_of(dataset, self.untracked):
            return True
        if as_of is None or period is None:
            return _is_any_of(dataset, (*self.current, *self.in_place, *self.earlier))
        if as_of == period.as_of:
            return _is_any_of(dataset, (*self.current, *self.in_place))
        is_previous = as_of == period.back(1).as_of and _is_any_of(dataset, self.previous)
        return is_previous or (as_of < period.as_of and _is_any_of(dataset, self.earlier))

    def paths(self, index: FileIndex, period: Period | None) -> list[Path]:
        """Return the files and folders that decide the result; not all of them need exist.

        Args:
            index: of the volume.
            period: None if the stage determines it itself; then only those of the whole volume are known.
        """
        root, as_of = index.root, period.as_of if period else None
        paths = [root / each.relative_path(as_of) for each in self.current if each is not TRANSACTIONS]
        if period and TRANSACTIONS in self.current:
            paths += _partitions(index, period.as_of)
        if period and self.previous:
            paths += [root / each.relative_path(period.back(1).as_of) for each in self.previous]
        if period and self.earlier:
            paths += _earlier(index, self.earlier, period.as_of)
        return paths

    def all_paths(self, index: FileIndex, period: Period | None, options: Mapping[str, Any]) -> list[Path]:
        """Return all files and folders that the stage reads; not all of them need exist."""
        root, as_of = index.root, period.as_of if period else None
        paths = self.paths(index, period)
        if period:
            paths += [path.parent for path in shard_paths(root, period.as_of, options)]
        more = [each.relative_path(as_of) for each in (LEDGER, *self.in_place, *self.untracked)]
        matching = [path for each in more for path in index.matching(str(each))]
        return [*paths, *(root / each for each in more), *matching]


def shard_of(options: Mapping[str, Any]) -> str:
    """Return the name of the shard that a stage is asked for, `0-of-3` for example; empty without one."""
    number = options.get("shard")
    return "" if number is None else Shard(number, options["shards"]).name


def shard_paths(root: Path, as_of: date, options: Mapping[str, Any]) -> list[Path]:
    """Return the scores of the shards that a stage joins; none if it is one of them, or there is only one."""
    n_shards = 1 if shard_of(options) else options.get("shards", 1)
    shards = [Shard(number, n_shards) for number in range(n_shards)] if n_shards > 1 else []
    return [root / shard_scores(shard.name).relative_path(as_of) for shard in shards]


def output_paths(root: Path, stage: str, as_of: date, shard: str = "") -> list[Path]:
    """Return the files and folders that a stage, or one shard of it, may have written for a period."""
    if shard:
        return [root / each(shard).relative_path(as_of) for each in (shard_scores, shard_origin)]
    return [root / each.relative_path(as_of) for each in ALL_DATASETS if each.producer == stage]


def publish_roots(stage: str, as_of: date, inputs: Inputs, shard: str = "") -> list[str]:
    """Return what a stage, or one shard of it, replaces as a whole on the volume: paths below the root."""
    if shard:
        return [shard_scores(shard).relative_publish_root(as_of)]
    own = {each for each in (*ALL_DATASETS, *inputs.untracked) if each.producer == stage}
    record = run_record(stage).relative_path(as_of)
    return sorted({each.relative_publish_root(as_of) for each in own} | {str(record.parent)})


def newest_earlier(index: FileIndex, dataset: Dataset, before: date) -> dict[date, Path]:
    """Return path by first day of the newest N_EARLIER periods before `before` that have a data set."""
    first, last = dataset.path_template.split("{as_of}")
    dated = []
    for path in index.matching(f"{first}*{last}"):
        with suppress(ValueError):  # a folder of another name
            day = str(path.relative_to(index.root))[len(first) :].removesuffix(last)
            dated.append((date.fromisoformat(day), path))
    return dict(sorted(each for each in dated if each[0] < before)[-N_EARLIER:])


def _is_any_of(dataset: Dataset, declared: Collection[Dataset]) -> bool:
    return any(fnmatchcase(dataset.path_template, each.path_template) for each in declared)


def _earlier(index: FileIndex, datasets: Collection[Dataset], before: date) -> list[Path]:
    """Return the files of the newest earlier periods, and the partitions from the first of them on."""
    files = [newest_earlier(index, each, before) for each in datasets if each is not TRANSACTIONS]
    days = [day for each in files for day in each]
    partitions = _partitions(index, before, min(days)) if days and TRANSACTIONS in datasets else []
    return [path for each in files for path in each.values()] + partitions


def _partitions(index: FileIndex, before: date, since: date = date.min) -> list[Path]:
    root = index.root
    ledger = root / LEDGER.relative_path(None)
    with suppress(OSError, ValueError, KeyError):  # the stage itself reports what is wrong with the ledger
        record = json.loads(index.text(ledger))
        folder = root / TRANSACTIONS.relative_path(None)
        named = partitions_before(record, before)
        return [folder / name for week, name in named.items() if (since - week).days < DAYS_PER_WEEK]
    return [ledger]
