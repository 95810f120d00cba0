"""One invocation of a stage: whether an earlier run is up to date, what it fetches, records and pushes."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from sodai.data.catalog import EVALUATE, Dataset, run_record, skip_record
from sodai.data.periods import Period
from sodai.model.registry_snapshot import RegistrySnapshot
from sodai.object_store.backend import VolumeBackend
from sodai.stage.fingerprint import (
    Fingerprint,
    code_digest,
    difference_of_files,
    packages_digest,
    settings_of,
)
from sodai.stage.inputs import Inputs, output_paths, publish_roots, shard_of, shard_paths
from sodai.stage.registry_difference import difference_of_registry, newest_training
from sodai.volume.file_hashes import FileIndex

Record = dict[str, Any]


class StageRun:
    """One invocation of a stage with its fingerprint, computed before the stage runs.

    Args:
        stage: task id.
        options_of: the function that declares the options; the folder of its file holds the stage's code.
        inputs: the declared inputs.
        options: values of the stage's options.
        period: None if the stage itself determines it.
        backend: where the stage reads and writes.

    Raises:
        RegistryError: the stage reads the registry, and it does not answer.
        VolumeError: the volume is read-only or full.
    """

    def __init__(
        self,
        stage: str,
        options_of: Callable[..., Any],
        inputs: Inputs,
        options: Mapping[str, Any],
        period: Period | None,
        backend: VolumeBackend,
    ) -> None:
        self.stage, self.options, self.period, self.root = stage, options, period, backend.root
        self._inputs, self._backend = inputs, backend
        self._registry = self._read_registry()
        self._shard = shard_of(options)
        read = inputs.paths(backend.published, period)
        joined = shard_paths(self.root, period.as_of, options) if period else []
        self._fingerprint = Fingerprint(
            settings_of(options),
            backend.published.hashes([*read, *joined]),
            code_digest(Path(__file__).parents[1], Path(inspect.getfile(options_of)).parent),
            packages_digest(),
        )

    @property
    def own_options(self) -> dict[str, Any]:
        """Return the options that the stage's `run` takes: all but as_of, data and horizon_days."""
        shared = ("as_of", "data", "horizon_days")
        return {name: value for name, value in self.options.items() if name not in shared}

    def permits(self, dataset: Dataset, as_of: date | None) -> bool:
        """Return whether the stage may read a data set: it is declared, or the stage writes it."""
        return dataset.producer == self.stage or self._inputs.declares(dataset, as_of, self.period)

    def up_to_date_record(self) -> tuple[Record | None, str]:
        """Return the run record whose result is still valid, or None and why there is none.

        The reason is empty if the stage never ran.
        """
        reason = ""
        for day in [self.period.as_of] if self.period else self._days():
            record = self._record(self.stage, day, self._shard)
            if record is None:
                continue
            difference = self._difference(record, day)
            if not difference:
                return record, ""
            reason = reason or difference
        return None, reason

    def skip(self, record: Record) -> None:
        """Record on the volume that the stage was skipped, for the page of the run.

        Args:
            record: of the run that is up to date.
        """
        self._backend.published.save()
        if self._shard:
            return
        as_of = date.fromisoformat(record["result"]["as_of"])
        file = self.root / skip_record(self.stage).relative_path(as_of)
        text = json.dumps({"stage": self.stage, "started": record["started"]}) + "\n"
        self._backend.push_file(file, text)

    def fetch(self) -> None:
        """Bring what the stage reads to where it works.

        Raises:
            VolumeError: some of it cannot be brought there.
        """
        paths = self._inputs.all_paths(self._backend.published, self.period, self.options)
        self._backend.fetch(paths, [each.path_template for each in self._inputs.in_place])

    def state_after(self, as_of: date) -> Record:
        """Return what the next invocation compares with: fingerprint, outputs and registry.

        Args:
            as_of: the period that the stage has run for.
        """
        return {
            "fingerprint": self._fingerprint.to_record(),
            "outputs": self._outputs(self._backend.local, as_of),
            "registry": self._registry_after(as_of),
        }

    def push(self, as_of: date) -> None:
        """Make what the stage wrote for a period part of the volume.

        Raises:
            VolumeError: it cannot be pushed.
        """
        self._backend.push(publish_roots(self.stage, as_of, self._inputs, self._shard))
        self._backend.published.save()

    def _registry_after(self, as_of: date) -> Record | None:
        before = self._registry
        if before is None:
            return None
        after = self._read_registry() or before
        registered = after.versions.items() - before.versions.items()
        return {
            "identity": before.identity,
            "champion": before.champion,
            "newest_training": newest_training(before, as_of),
            "registered": dict(sorted(registered)),
        }

    def _difference(self, record: Record, as_of: date) -> str:
        """Describe what changed since a run; empty if nothing did."""
        try:
            return (
                self._fingerprint.difference(record["fingerprint"])
                or difference_of_files(
                    "output", record["outputs"], self._outputs(self._backend.published, as_of)
                )
                or self._difference_of_registry(record["registry"], as_of)
            )
        except (KeyError, TypeError, AttributeError):
            return "an earlier run record was written by other code or is damaged"

    def _difference_of_registry(self, then: Record | None, as_of: date) -> str:
        if self._registry is None or then is None:
            return ""
        evaluation = self._record(EVALUATE, as_of) if self._inputs.champion else None
        return difference_of_registry(
            then, self._registry, as_of, evaluation, self._inputs.champion, self._inputs.trainings
        )

    def _read_registry(self) -> RegistrySnapshot | None:
        if self._inputs.registry is None:
            return None
        return self._inputs.registry(self.root, self.options["tracking_uri"])

    def _outputs(self, index: FileIndex, as_of: date) -> dict[str, str]:
        return index.hashes(output_paths(self.root, self.stage, as_of, self._shard))

    def _days(self) -> Iterator[date]:
        """Yield the periods that the stage has run for, newest first."""
        for path in reversed(self._backend.published.matching(f"weeks/*/{self.stage}/run.json")):
            yield date.fromisoformat(path.parts[-3])

    def _record(self, stage: str, as_of: date, shard: str = "") -> Record | None:
        with suppress(OSError, ValueError):
            path = self.root / run_record(stage, shard).relative_path(as_of)
            record = json.loads(self._backend.published.text(path))
            return record if isinstance(record, dict) else None
        return None
