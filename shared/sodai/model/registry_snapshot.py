"""What a content key must know of the registry, without MLflow's client where nothing was written since."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sodai.data.catalog import CHAMPION
from sodai.volume.atomic_files import atomic_write

EXPERIMENT = "sodai_recommendation_pipeline"
MODEL_NAME = "sodai_purchase_model"
# Tag of a version: first day of the period that it was trained for.
TRAINED_FOR = "as_of"
_STORE = "mlflow/mlflow.db"
_REMEMBERED = "mlflow/state.json"
_TIMEOUT_SECONDS = 10
# What MLflow answers where an alias or its model is not there.
_MISSING = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
# As many as MLflow gives at once.
MOST_VERSIONS = 200_000


@dataclass(frozen=True)
class RegistrySnapshot:
    """What stages and content keys read of a registry.

    `identity` tells which one it is, `champion` is the champion's version (None without one), `versions`
    maps each version to its training run, `trained_for` to the first day of the period that it was trained
    for, as retrain_model tags it.
    """

    identity: str
    champion: str | None
    versions: Mapping[str, str]
    trained_for: Mapping[str, str]

    def newest_training(self, before: date) -> date | None:
        """The newest period before `before` (exclusive) that a version was trained for; None without one.

        The period itself is left out: what its own run registers changes nothing when it is run again.
        """
        earlier = [day for day in self.trained_for.values() if day < before.isoformat()]
        return date.fromisoformat(max(earlier)) if earlier else None


def read_snapshot(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
    """The state of a server, or of the store inside the volume.

    MLflow's client takes 1 to 2 seconds to import. A server is asked through its documented REST
    interface; a store in the volume is one file, and what the client said of it stands while its bytes
    stay as they were. Whatever does not work that way is asked through the client.

    Raises:
        RegistryError: nobody answers.
        VolumeError: the volume is read-only or full.
    """
    if tracking_uri is None:
        return _remembered(root) or _asked_and_remembered(root)
    found = _of_server(tracking_uri.rstrip("/")) if tracking_uri.startswith(("http://", "https://")) else None
    return found or _asked(root, tracking_uri)


def _asked(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
    from sodai.model.registry import Registry
    from sodai.volume.volume import Volume

    return Registry(Volume(root), tracking_uri).snapshot()


def _remembered(root: Path) -> RegistrySnapshot | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((root / _REMEMBERED).read_text(encoding="utf-8"))
        if record.pop("store") == _store_digest(root):
            return RegistrySnapshot(**record)
    return None


def _asked_and_remembered(root: Path) -> RegistrySnapshot:
    before = _store_digest(root)
    state = _asked(root, None)
    digest = _store_digest(root)
    if digest == before:  # else somebody wrote meanwhile, or MLflow made the store just now
        with suppress(OSError), atomic_write(root / _REMEMBERED) as part:
            part.write_text(json.dumps({"store": digest, **asdict(state)}), encoding="utf-8")
    return state


def _store_digest(root: Path) -> str:
    """Hash of the store with what SQLite keeps beside it while it writes."""
    digest = hashlib.sha256()
    store = root / _STORE
    for file in sorted(store.parent.glob(f"{store.name}*")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _of_server(uri: str) -> RegistrySnapshot | None:
    """The same from a server; None if it does not answer as expected."""
    try:
        experiment = _get(uri, "experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
        found = _get(
            uri, "model-versions/search", filter=f"name='{MODEL_NAME}'", max_results=str(MOST_VERSIONS)
        )
        listed = found.get("model_versions", [])
        versions = {each["version"]: each["run_id"] for each in listed}
        identity = identity_of(experiment["experiment_id"], experiment["creation_time"])
        tags = {
            each["version"]: {tag["key"]: tag["value"] for tag in each.get("tags", [])} for each in listed
        }
        return RegistrySnapshot(identity, _champion(uri), versions, trained_for(tags))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def trained_for(tags: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The period that each version was trained for, by the tags of each; without those that do not say."""
    return {version: own[TRAINED_FOR] for version, own in tags.items() if TRAINED_FOR in own}


def identity_of(experiment_id: object, created_ms: object) -> str:
    """What tells one registry from another that took its place or answers under its name."""
    return f"{experiment_id}-{created_ms}"


def _champion(uri: str) -> str | None:
    found = _get(uri, "registered-models/alias", name=MODEL_NAME, alias=CHAMPION)
    if found.get("error_code") in _MISSING:
        return None
    return str(found["model_version"]["version"])


def _get(uri: str, path: str, **query: str) -> dict[str, Any]:
    """MLflow's answer, also one that says what is missing."""
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import urlopen

    try:
        answer = urlopen(f"{uri}/api/2.0/mlflow/{path}?{urlencode(query)}", timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        answer = error
    with answer:
        found: dict[str, Any] = json.load(answer)
    return found
