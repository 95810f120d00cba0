"""Small volumes before and after training, built by real stages on synthetic sales once a session."""

import json
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlparse

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from sodai.data.catalog import CHALLENGER, DRIFT, EVALUATE, EXTRACT, FEATURES_STAGE, RETRAIN, RETRAINED_MODEL
from sodai.model.registry import MODEL_NAME, Registry
from sodai.runtime.environment import ENV_TRACKING_URI
from sodai.volume.volume import Volume
from support.quiet_import import import_evidently
from support.sales_data import SyntheticRaw, make_raw
from support.week import Outcome
from support.week import run_stage as run_in_process

with warnings.catch_warnings():
    # MLflow 3.17 warns about its own type hints when it first logs a model.
    warnings.filterwarnings("ignore", ".*inferred as AnyType", UserWarning)
    import_module("mlflow.types.responses")

N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 24, 14, 16
SMALL_SEARCH = ("--trials", "3", "--search-rows", "1000")


@dataclass(frozen=True)
class SmallWeek:
    """A read-only volume, the raw files that it was built from, and the outcome of its last stage."""

    root: Path
    raw: SyntheticRaw
    last_outcome: Outcome

    @property
    def as_of(self) -> date:
        return self.raw.as_of

    @property
    def volume(self) -> Volume:
        return Volume(self.root)

    def copy(self, root: Path) -> Volume:
        """Return a copy that a test may write to."""
        return Volume(shutil.copytree(self.root, root))


def run_stage(stage: str, root: Path, as_of: date, *options: str) -> Outcome:
    """Run a stage as `week.run_stage` does, on the registry of `root` unless an option names another.

    MLflow leaves the address of the registry that it used last in the environment, where a stage's
    own process would not find it.
    """
    os.environ.pop(ENV_TRACKING_URI, None)
    return run_in_process(stage, root, str(as_of), *options)


def champion_version(volume: Volume) -> str | None:
    """Return the version of the champion, None without one."""
    champion = Registry(volume).champion()
    return champion.version if champion else None


@cache
def week_with_features(session: Path, noise: float = 0.1) -> SmallWeek:
    """Build a week up to its features, with an empty registry; `noise` as in `make_raw`."""
    root = session / f"featured_{noise}"
    raw = make_raw(root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS, noise=noise)
    Registry(Volume(root))
    return SmallWeek(root, raw, _run(root, raw.as_of, [EXTRACT], [FEATURES_STAGE]))


@cache
def week_with_challenger(session: Path) -> SmallWeek:
    """Build a week up to its challenger, the registry's first version."""
    import_evidently()
    return _continue(week_with_features(session), session / "trained", [DRIFT], [RETRAIN, *SMALL_SEARCH])


@cache
def week_with_champion(session: Path) -> SmallWeek:
    """Build a week up to its champion, the registry's first version."""
    return _continue(week_with_challenger(session), session / "champion", [EVALUATE])


def register_second_version(volume: Volume, week: SmallWeek, **changes: object) -> None:
    """Register the model of the week as version 2, as retrain_model does; `changes` go to its model card."""
    client = Registry(volume).client
    first = client.get_model_version(MODEL_NAME, "1")
    second = client.create_model_version(MODEL_NAME, first.source, first.run_id, model_id=first.model_id)
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, str(second.version))
    card_file = volume.path(RETRAINED_MODEL, week.as_of) / "model.json"
    card = {**json.loads(card_file.read_text()), "version": str(second.version), **changes}
    card_file.write_text(json.dumps(card))


def delete_run(volume: Volume, version: str) -> None:
    """Delete the training run of a version for good, with its files, as `mlflow gc` does."""
    registry = Registry(volume)
    run_id = str(registry.client.get_model_version(MODEL_NAME, version).run_id)
    folder = Path(unquote(urlparse(registry.client.get_run(run_id).info.artifact_uri).path))
    registry.client.delete_run(run_id)
    SqlAlchemyStore(registry.uri, folder.parents[1].as_uri())._hard_delete_run(run_id)
    shutil.rmtree(folder.parent)
    os.environ.pop(ENV_TRACKING_URI, None)


def _continue(before: SmallWeek, root: Path, *commands: Sequence[str]) -> SmallWeek:
    before.copy(root)
    return SmallWeek(root, before.raw, _run(root, before.as_of, *commands))


def _run(root: Path, as_of: date, *commands: Sequence[str]) -> Outcome:
    """Run stages with their options in order, and return the outcome of the last one."""
    for stage, *options in commands:
        outcome = run_stage(stage, root, as_of, *options)
        assert outcome.code == 0, outcome.log
    return outcome
