"""Small volumes before and after training, made by real stages on made data once a session."""

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
from sodai.stage.command import ENV_TRACKING_URI
from sodai.volume.volume import Volume
from support.sales_data import MadeRaw, make_raw
from support.week import Outcome
from support.week import run_stage as run_in_process

with warnings.catch_warnings():
    # MLflow 3.17 warns of its own type hints when it first logs a model.
    warnings.filterwarnings("ignore", ".*inferred as AnyType", UserWarning)
    import_module("mlflow.types.responses")

N_CUSTOMERS, N_PRODUCTS, N_WEEKS = 24, 14, 16
SMALL_SEARCH = ("--trials", "3", "--search-rows", "1000")


@dataclass(frozen=True)
class MadeWeek:
    """A volume, not to be written to, what it was made from, and how its newest stage ended."""

    root: Path
    made: MadeRaw
    newest: Outcome

    @property
    def as_of(self) -> date:
        return self.made.as_of

    @property
    def volume(self) -> Volume:
        return Volume(self.root)

    def copy(self, root: Path) -> Volume:
        """A copy that a test may write to."""
        return Volume(shutil.copytree(self.root, root))


def run_stage(stage: str, root: Path, as_of: date, *options: str) -> Outcome:
    """`made_week.run_stage`, on the registry of `root` unless an option names another.

    MLflow leaves the address of the registry that it used last in the environment, where a stage's
    own process would not find it.
    """
    os.environ.pop(ENV_TRACKING_URI, None)
    return run_in_process(stage, root, str(as_of), *options)


def champion_version(volume: Volume) -> str | None:
    champion = Registry(volume).champion()
    return champion.version if champion else None


@cache
def featured_week(session: Path, noise: float = 0.1) -> MadeWeek:
    """Up to the features, with an empty registry, in the folder of the session; `noise` as in `make_raw`."""
    root = session / f"featured_{noise}"
    made = make_raw(root / "raw", N_CUSTOMERS, N_PRODUCTS, N_WEEKS, noise=noise)
    Registry(Volume(root))
    return MadeWeek(root, made, _run(root, made, [EXTRACT], [FEATURES_STAGE]))


@cache
def trained_week(session: Path) -> MadeWeek:
    """Up to a challenger, the registry's first version."""
    return _continued(featured_week(session), session / "trained", [DRIFT], [RETRAIN, *SMALL_SEARCH])


@cache
def champion_week(session: Path) -> MadeWeek:
    """Up to a champion, the registry's first version."""
    return _continued(trained_week(session), session / "champion", [EVALUATE])


def register_again(volume: Volume, week: MadeWeek, **changes: object) -> None:
    """The model of the week once more as version 2, its model card changed, as retrain_model leaves it."""
    client = Registry(volume).client
    first = client.get_model_version(MODEL_NAME, "1")
    second = client.create_model_version(MODEL_NAME, first.source, first.run_id, model_id=first.model_id)
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, str(second.version))
    card_file = volume.path(RETRAINED_MODEL, week.as_of) / "model.json"
    record = {**json.loads(card_file.read_text()), "version": str(second.version), **changes}
    card_file.write_text(json.dumps(record))


def delete_run(volume: Volume, version: str) -> None:
    """Delete the training run of a version for good, with its files, as `mlflow gc` does."""
    registry = Registry(volume)
    run_id = str(registry.client.get_model_version(MODEL_NAME, version).run_id)
    folder = Path(unquote(urlparse(registry.client.get_run(run_id).info.artifact_uri).path))
    registry.client.delete_run(run_id)
    SqlAlchemyStore(registry.uri, folder.parents[1].as_uri())._hard_delete_run(run_id)
    shutil.rmtree(folder.parent)
    os.environ.pop(ENV_TRACKING_URI, None)


def _continued(before: MadeWeek, root: Path, *commands: Sequence[str]) -> MadeWeek:
    before.copy(root)
    return MadeWeek(root, before.made, _run(root, before.made, *commands))


def _run(root: Path, made: MadeRaw, *commands: Sequence[str]) -> Outcome:
    for stage, *options in commands:
        newest = run_stage(stage, root, made.as_of, *options)
        assert newest.code == 0, newest.log
    return newest
