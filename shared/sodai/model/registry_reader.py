"""A snapshot of the registry, read without MLflow's client wherever that is possible."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from sodai.data.catalog import CHAMPION
from sodai.model.registry_snapshot import (
    EXPERIMENT,
    MODEL_NAME,
    MOST_VERSIONS,
    RegistrySnapshot,
    build_snapshot,
)
from sodai.volume.atomic_files import atomic_write

_STORE = "mlflow/mlflow.db"
_CACHE = "mlflow/state.json"
_TIMEOUT_SECONDS = 10
# MLflow's error codes for a missing alias and for a missing model.
_MISSING = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")


def read_snapshot(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
    """Return the snapshot of a server, or of the store inside the volume.

    A server is asked through its documented REST interface. A store in the volume is one file: the snapshot
    is cached next to it and valid while the bytes of the store are the same. MLflow's client is asked where
    neither works.

    Args:
        root: of the volume.
        tracking_uri: of an MLflow server; None for the store inside the volume.

    Raises:
        RegistryError: the registry does not answer.
        VolumeError: the volume is read-only or full.
    """
    if tracking_uri is None:
        return _read_cache(root) or _ask_client_and_cache(root)
    is_server = tracking_uri.startswith(("http://", "https://"))
    snapshot = _ask_server(tracking_uri.rstrip("/")) if is_server else None
    return snapshot or _ask_client(root, tracking_uri)


def _ask_client(root: Path, tracking_uri: str | None) -> RegistrySnapshot:
    # MLflow's client takes 1 to 2 seconds to import, which a skipped run must not pay.
    from sodai.model.registry import snapshot_by_client

    return snapshot_by_client(root, tracking_uri)


def _read_cache(root: Path) -> RegistrySnapshot | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        cached = json.loads((root / _CACHE).read_text(encoding="utf-8"))
        if cached.pop("store") == _store_digest(root):
            return RegistrySnapshot(**cached)
    return None


def _ask_client_and_cache(root: Path) -> RegistrySnapshot:
    before = _store_digest(root)
    snapshot = _ask_client(root, None)
    digest = _store_digest(root)
    # A store that changed during the call was written by another run, or MLflow has just created it.
    if digest == before:
        with suppress(OSError), atomic_write(root / _CACHE) as file:
            file.write_text(json.dumps({"store": digest, **asdict(snapshot)}), encoding="utf-8")
    return snapshot


def _store_digest(root: Path) -> str:
    """Return the hash of the store and of the files that SQLite keeps next to it during a write."""
    digest = hashlib.sha256()
    store = root / _STORE
    for file in sorted(store.parent.glob(f"{store.name}*")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _ask_server(uri: str) -> RegistrySnapshot | None:
    """Return the snapshot of a server, None if it does not answer as documented."""
    try:
        experiment = _get(uri, "experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
        answer = _get(
            uri, "model-versions/search", filter=f"name='{MODEL_NAME}'", max_results=str(MOST_VERSIONS)
        )
        versions = answer.get("model_versions", [])
        return build_snapshot(
            experiment["experiment_id"],
            experiment["creation_time"],
            _champion(uri),
            {each["version"]: each["run_id"] for each in versions},
            {
                each["version"]: {tag["key"]: tag["value"] for tag in each.get("tags", [])}
                for each in versions
            },
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _champion(uri: str) -> str | None:
    answer = _get(uri, "registered-models/alias", name=MODEL_NAME, alias=CHAMPION)
    if answer.get("error_code") in _MISSING:
        return None
    return str(answer["model_version"]["version"])


def _get(uri: str, path: str, **query: str) -> dict[str, Any]:
    """Return the JSON that MLflow answers, also where it answers with an error."""
    try:
        response = urlopen(f"{uri}/api/2.0/mlflow/{path}?{urlencode(query)}", timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        response = error
    with response:
        answer: dict[str, Any] = json.load(response)
    return answer
