"""What a stage reads: declared where the stage is, turned into paths here."""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sodai.volume.file_hashes import FileIndex
from sodai.volume.ledger import partitions_before

if TYPE_CHECKING:
    from sodai.model.registry_snapshot import RegistrySnapshot

    ReadState = Callable[[Path, str | None], RegistrySnapshot]


# More than this makes a stage that looks back cost more every week.
N_EARLIER = 8


@dataclass(frozen=True)
class Inputs:
    """The data sets that decide what a stage makes, beside its options, its code and its packages.

    A data set that the stage itself writes (the ledger, the history) does not belong here: it is an
    output, and has to be as the stage left it.

    `own` are those of the period, or of the whole volume; TRANSACTIONS means the partitions in force of
    the weeks that begin before it. `before` are read of the period one step earlier, `earlier` of the newest
    N_EARLIER that have one before it; TRANSACTIONS there means the partitions from the first of these on.
    `registry` is `read_state` of a stage that speaks to MLflow, which alone has its packages;
    `champion` says that it reads the champion, `trainings` that it reads when the newest training was.

    `lasting` are outputs of the stage that it changes rather than makes anew, `beside` what it reads and
    what decides nothing; their places may hold wildcards.
    """

    own: tuple[Dataset, ...] = ()
    before: tuple[Dataset, ...] = ()
    earlier: tuple[Dataset, ...] = ()
    lasting: tuple[Dataset, ...] = ()
    beside: tuple[Dataset, ...] = ()
    registry: "ReadState | None" = None
    champion: bool = False
    trainings: bool = False

    def paths(self, contents: FileIndex, period: Period | None) -> list[Path]:
        """The files and folders of the volume that decide; not all of them need be there.

        Args:
            contents: of the volume.
            period: None where the stage itself finds out which; then only the whole volume's are known.
        """
        root, as_of = contents.root, period.as_of if period else None
        found = [root / each.relative_path(as_of) for each in self.own if each is not TRANSACTIONS]
        if period and TRANSACTIONS in self.own:
            found += _partitions(contents, period.as_of)
        if period and self.before:
            found += [root / each.relative_path(period.back(1).as_of) for each in self.before]
        if period and self.earlier:
            found += _earlier(contents, self.earlier, period.as_of)
        return found

    def all_paths(self, contents: FileIndex, period: Period | None, options: Mapping[str, Any]) -> list[Path]:
        """All files and folders that the stage reads; not all of them need be there."""
        root, as_of = contents.root, period.as_of if period else None
        found = self.paths(contents, period)
        if period:
            found += [path.parent for path in joined_paths(root, period.as_of, options)]
        more = [each.relative_path(as_of) for each in (LEDGER, *self.lasting, *self.beside)]
        return (
            found
            + [root / each for each in more]
            + [path for each in more for path in contents.matching(str(each))]
        )


def shard_of(options: Mapping[str, Any]) -> str:
    """The name of the shard that a stage is asked for, `0-of-3` for example; empty if for none."""
    shard = options.get("shard")
    return "" if shard is None else f"{shard}-of-{options['shards']}"


def joined_paths(root: Path, as_of: date, options: Mapping[str, Any]) -> list[Path]:
    """The scores of the shards that a stage joins; none where it is asked for one, or there is but one."""
    n_shards = 1 if shard_of(options) else options.get("shards", 1)
    names = [f"{shard}-of-{n_shards}" for shard in range(n_shards)] if n_shards > 1 else []
    return [root / shard_scores(name).relative_path(as_of) for name in names]


def output_paths(root: Path, stage: str, as_of: date, shard: str = "") -> list[Path]:
    """The files and folders that a stage, or one shard of it, may have written for a period."""
    if shard:
        return [root / each(shard).relative_path(as_of) for each in (shard_scores, shard_origin)]
    return [root / each.relative_path(as_of) for each in ALL_DATASETS if each.producer == stage]


def units_of(stage: str, as_of: date, inputs: Inputs, shard: str = "") -> list[str]:
    """What a stage, or one shard of it, replaces of the volume when it publishes: paths below the root."""
    if shard:
        return [shard_scores(shard).relative_publish_root(as_of)]
    made = {each for each in (*ALL_DATASETS, *inputs.beside) if each.producer == stage}
    record = run_record(stage).relative_path(as_of)
    return sorted({each.relative_publish_root(as_of) for each in made} | {str(record.parent)})


def newest_earlier(contents: FileIndex, dataset: Dataset, before: date) -> dict[date, Path]:
    """First day -> path of the newest N_EARLIER periods before `before` (exclusive) that have a data set."""
    first, last = dataset.path_template.split("{as_of}")
    found = []
    for path in contents.matching(f"{first}*{last}"):
        with suppress(ValueError):  # a folder of another name
            day = str(path.relative_to(contents.root))[len(first) :].removesuffix(last)
            found.append((date.fromisoformat(day), path))
    return dict(sorted(each for each in found if each[0] < before)[-N_EARLIER:])


def _earlier(contents: FileIndex, datasets: Collection[Dataset], before: date) -> list[Path]:
    """The files of the newest earlier periods, and the partitions from the first of these periods on."""
    found = [newest_earlier(contents, each, before) for each in datasets if each is not TRANSACTIONS]
    days = [day for each in found for day in each]
    partitions = _partitions(contents, before, min(days)) if days and TRANSACTIONS in datasets else []
    return [path for each in found for path in each.values()] + partitions


def _partitions(contents: FileIndex, before: date, since: date = date.min) -> list[Path]:
    root = contents.root
    ledger = root / LEDGER.relative_path(None)
    with suppress(OSError, ValueError, KeyError):  # the stage itself says what is wrong with it
        record = json.loads(contents.text(ledger))
        folder = root / TRANSACTIONS.relative_path(None)
        named = partitions_before(record, before)
        return [folder / name for week, name in named.items() if (since - week).days < DAYS_PER_WEEK]
    return [ledger]
