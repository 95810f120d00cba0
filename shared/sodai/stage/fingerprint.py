"""Whether a stage has to run: what its result depends on, and whether what it wrote is still there."""

import hashlib
import inspect
import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sodai.data.catalog import EVALUATE, run_record, skip_record
from sodai.data.periods import Period
from sodai.object_store.backend import VolumeBackend
from sodai.stage.inputs import Inputs, joined_paths, output_paths, shard_of, units_of
from sodai.volume.file_hashes import FileIndex, files_below

if TYPE_CHECKING:
    from sodai.model.registry_snapshot import RegistrySnapshot

Record = dict[str, Any]

# Options that say where and how, and change nothing of what is made.
_INDIFFERENT = {"data", "tracking_uri", "memory_limit", "spark_remote"}


class StageRun:
    """One start of a stage: what its result would be made from, looked at before it runs.

    Args:
        stage: task id.
        function: of the stage; the folder of its file holds the stage's code.
        inputs: what it reads.
        options: that it is called with.
        period: None where the stage itself finds out which.
        place: where it works.

    Raises:
        RegistryError: it reads the registry, and nobody answers.
        VolumeError: the volume is read-only or full.
    """

    def __init__(
        self,
        stage: str,
        function: Callable[..., Any],
        inputs: Inputs,
        options: Mapping[str, Any],
        period: Period | None,
        place: VolumeBackend,
    ) -> None:
        self._stage, self._inputs, self._options = stage, inputs, options
        self._period, self._as_of = period, period.as_of if period else None
        self._place, self._root, self._contents = place, place.root, place.published
        self._registry = self._ask_registry()
        self._shard = shard_of(options)
        joined = joined_paths(self._root, period.as_of, options) if period else []
        self._key = {
            "settings": {name: str(value) for name, value in options.items() if name not in _INDIFFERENT},
            "inputs": self._contents.hashes([*inputs.paths(self._contents, period), *joined]),
            "code": code_digest(Path(__file__).parents[1], Path(inspect.getfile(function)).parent),
            "packages": packages_digest(),
        }

    def earlier_run(self) -> tuple[Record | None, str]:
        """The record of the run whose result still stands, or None and why there is none.

        The reason is empty where the stage never ran.
        """
        reason = ""
        for day in [self._as_of] if self._as_of else self._days():
            record = self._record(self._stage, day, self._shard)
            if record is None:
                continue
            difference = self._difference(record, day)
            if not difference:
                return record, ""
            reason = reason or difference
        return None, reason

    def made(self, as_of: date) -> Record:
        """What the run record keeps for the next start, once the stage has run for `as_of`."""
        outputs = self._outputs(self._place.local, as_of)
        found: Record = {"key": self._key, "outputs": outputs, "registry": None}
        if self._registry is not None:
            after = self._ask_registry() or self._registry
            new = after.versions.items() - self._registry.versions.items()
            found["registry"] = {
                "identity": self._registry.identity,
                "champion": self._registry.champion,
                "newest_training": _newest_training(self._registry, as_of),
                "registered": dict(sorted(new)),
            }
        return found

    def remember(self) -> None:
        """Keep for later starts what files were hashed."""
        self._contents.save()

    def leave_skipped(self, record: Record) -> None:
        """Say on the volume that the stage skipped, for the page of the run; it is part of no key."""
        if self._shard:
            return
        as_of = date.fromisoformat(record["result"]["as_of"])
        file = self._root / skip_record(self._stage).relative_path(as_of)
        self._place.push_file(file, json.dumps({"stage": self._stage, "started": record["started"]}) + "\n")

    def begin(self) -> None:
        """Put what the stage reads where it works.

        Raises:
            VolumeError: some of it cannot be brought there.
        """
        paths = self._inputs.all_paths(self._contents, self._period, self._options)
        self._place.fetch(paths, [each.path_template for each in self._inputs.lasting])

    def publish(self, as_of: date) -> None:
        """Make what the stage wrote for a period part of the volume.

        Raises:
            VolumeError: it cannot be published.
        """
        self._place.push(units_of(self._stage, as_of, self._inputs, self._shard))

    def _difference(self, record: Record, as_of: date) -> str:
        """What of an earlier run is not as it was; empty if nothing is."""
        try:
            return (
                difference_of_keys(record["key"], self._key)
                or difference_of_files("output", record["outputs"], self._outputs(self._contents, as_of))
                or self._difference_of_registry(record["registry"], as_of)
            )
        except (KeyError, TypeError, AttributeError):
            return "a record that it compares with was left by other code or is damaged"

    def _difference_of_registry(self, then: Record | None, as_of: date) -> str:
        """What of the registry is not as the run, and the promotion that followed it, left it.

        The run of a period may train and promote, so that its stages find another champion when they start
        again. It counts as unmoved while it is the one that evaluate_model promoted after it had seen the
        same champion as this stage, or had promoted it before and ran again; and where it promoted none,
        while it is the one that they saw.
        """
        now = self._registry
        if now is None or then is None:
            return ""
        if now.identity != then["identity"]:
            return "the registry is another one"
        if then["registered"].items() - now.versions.items():
            return "the version that it registered is gone"
        trained = _newest_training(now, as_of)
        if self._inputs.trainings and trained != then["newest_training"]:
            return f"the newest training before it was for {then['newest_training']}, is for {trained}"
        if not self._inputs.champion:
            return ""
        left = self._champion_after(then["champion"], as_of)
        return "" if now.champion == left else f"the champion was {left}, is {now.champion}"

    def _champion_after(self, seen: str | None, as_of: date) -> str | None:
        record = self._record(EVALUATE, as_of) or {}
        registry, result = record.get("registry"), record.get("result", {})
        if registry and result["promoted"]:
            promoted = str(result["published"]["version"])
            if registry["champion"] in (seen, promoted):
                return promoted
        return seen

    def _ask_registry(self) -> "RegistrySnapshot | None":
        if self._inputs.registry is None:
            return None
        return self._inputs.registry(self._root, self._options["tracking_uri"])

    def _outputs(self, contents: FileIndex, as_of: date) -> dict[str, str]:
        return contents.hashes(output_paths(self._root, self._stage, as_of, self._shard))

    def _days(self) -> Iterator[date]:
        """The periods that the stage has run for, newest first."""
        for path in reversed(self._contents.matching(f"weeks/*/{self._stage}/run.json")):
            yield date.fromisoformat(path.parts[-3])

    def _record(self, stage: str, as_of: date | None, shard: str = "") -> Record | None:
        with suppress(OSError, ValueError):
            path = self._root / run_record(stage, shard).relative_path(as_of)
            record = json.loads(self._contents.text(path))
            return record if isinstance(record, dict) else None
        return None


def _newest_training(registry: "RegistrySnapshot", as_of: date) -> str | None:
    """The newest period before `as_of` that a version was trained for, as a record holds it."""
    newest = registry.newest_training(as_of)
    return newest.isoformat() if newest else None


def difference_of_keys(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two keys, in words; empty if they are equal."""
    settings = [
        f"--{name.replace('_', '-')} was {then['settings'].get(name)}, is {value}"
        for name, value in now["settings"].items()
        if then["settings"].get(name) != value
    ]
    if settings:
        return settings[0]
    if then["code"] != now["code"]:
        return "its code changed"
    if then["packages"] != now["packages"]:
        return "the packages or the Python that it runs on changed"
    return difference_of_files("input", then["inputs"], now["inputs"])


def difference_of_files(what: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The first of some files that is new, gone or another, in words; empty if all are the same."""
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{what} {changed[0]}{more} changed" if changed else ""


def code_digest(*folders: Path) -> str:
    """Hash of all files of some folders of code, by their paths below them."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in filter(Path.is_file, files_below(folder)):
            content = file.read_bytes()
            digest.update(f"{folder.name}/{file.relative_to(folder)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def packages_digest() -> str:
    """Hash of the names and versions of all installed distributions, of Python and of the machine's kind.

    Names and versions stand in the names of folders; importlib.metadata would open every one of them. An
    image holds what its stage needs and nothing else, so that this stands for the image too.
    """
    installed = {
        entry.name
        for folder in map(Path, sys.path)
        if folder.is_dir()
        for entry in folder.glob("*.dist-info")
    }
    lines = [sys.version, platform.machine(), *sorted(installed)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
