"""The facts of the registry that stages and fingerprints compare, without MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

EXPERIMENT = "sodai_recommendation_pipeline"
MODEL_NAME = "sodai_purchase_model"
# Tag of a version: first day of the period that it was trained for.
TRAINED_FOR = "as_of"
# The largest page of versions that MLflow returns.
MOST_VERSIONS = 200_000


@dataclass(frozen=True)
class RegistrySnapshot:
    """The state of a registry that stages and fingerprints depend on.

    `identity` distinguishes it from any other registry at the same address, `champion` is the version of
    the champion (None without one), `versions` maps each version to its training run, and `trained_for`
    maps a version to the first day of the period that it was trained for, as retrain_model tags it.
    """

    identity: str
    champion: str | None
    versions: Mapping[str, str]
    trained_for: Mapping[str, str]

    def newest_training(self, before: date) -> date | None:
        """Return the newest period before `before` (exclusive) that a version was trained for, or None."""
        # The period itself does not count: a rerun must not see what the first run of it registered.
        earlier = [day for day in self.trained_for.values() if day < before.isoformat()]
        return date.fromisoformat(max(earlier)) if earlier else None


def build_snapshot(
    experiment_id: object,
    created_ms: object,
    champion: str | None,
    versions: Mapping[str, str],
    tags: Mapping[str, Mapping[str, str]],
) -> RegistrySnapshot:
    """Return the snapshot of a registry.

    Args:
        experiment_id: of the pipeline's experiment.
        created_ms: when the experiment was created, in milliseconds since 1970.
        champion: version of the champion, None without one.
        versions: version -> training run.
        tags: version -> its tags.
    """
    trained_for = {version: own[TRAINED_FOR] for version, own in tags.items() if TRAINED_FOR in own}
    return RegistrySnapshot(f"{experiment_id}-{created_ms}", champion, versions, trained_for)
